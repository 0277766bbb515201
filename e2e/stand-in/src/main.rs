//! `stand-in ADDRESS KUBECONFIG`: answers in the place of every frontend that the operator may ask, as a settled cluster
//! would. Which cluster is told by the address that was dialled: it is a frontend pod's. Calls are known by their paths
//! alone.

use std::convert::Infallible;
use std::future::ready;
use std::process::ExitCode;

use anyhow::{Context, Result};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use tokio::net::{TcpListener, TcpStream};

mod answers;
mod pods;

use pods::{Name, Pods};

/// gRPC's words for "fine" and "not now, try another".
const OK: &str = "0";
const UNAVAILABLE: &str = "14";

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let (Some(address), Some(kubeconfig)) = (words.next(), words.next()) else {
        eprintln!("an address and a kubeconfig are needed, such as 0.0.0.0:7233 admin.kubeconfig");
        return ExitCode::FAILURE;
    };
    let Err(error) = serve(&address, &kubeconfig).await;
    eprintln!("{error:#}");
    ExitCode::FAILURE
}

async fn serve(address: &str, kubeconfig: &str) -> Result<Infallible> {
    let pods = Pods::default();
    tokio::spawn(pods.clone().follow(client(kubeconfig).await?));
    let listener = TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))?;
    loop {
        let (stream, _) = listener.accept().await.context("cannot accept connections")?;
        stream.set_nodelay(true).context("cannot accept connections")?;
        let pods = pods.clone();
        // how a caller leaves is its own affair
        tokio::spawn(async { drop(talk(stream, pods).await) });
    }
}

async fn client(kubeconfig: &str) -> Result<Client> {
    let file = Kubeconfig::read_from(kubeconfig).with_context(|| format!("cannot read {kubeconfig}"))?;
    let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await;
    Client::try_from(config.with_context(|| format!("{kubeconfig} names no cluster"))?).context("no Kubernetes client")
}

/// One connection. It stays that pod's, whoever gets the address later.
async fn talk(stream: TcpStream, pods: Pods) -> Result<()> {
    let pod = pods.at(stream.local_addr()?.ip());
    let service = service_fn(|request| answer(request, pods.clone(), pod.clone()));
    Ok(http2::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await?)
}

/// Any call: the answer in a gRPC frame, and the status after it. A pod that is not known, or no more, is unavailable.
async fn answer(
    request: Request<Incoming>,
    pods: Pods,
    pod: Option<Name>,
) -> Result<Response<impl Body<Data = Bytes, Error = Infallible>>, Infallible> {
    let call = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
    // to leave a request half read would end its stream as an error
    drop(request.into_body().collect().await);
    let (body, status) = match pod.and_then(|pod| pods.rings(&pod)) {
        Some(rings) => (frame(&answers::to(&call, rings)), OK),
        None => (Bytes::new(), UNAVAILABLE),
    };
    let status = HeaderMap::from_iter([(HeaderName::from_static("grpc-status"), HeaderValue::from_static(status))]);
    let mut response = Response::new(Full::new(body).with_trailers(ready(Some(Ok(status)))));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    Ok(response)
}

fn frame(message: &[u8]) -> Bytes {
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX).to_be_bytes();
    [0].into_iter().chain(length).chain(message.iter().copied()).collect()
}
