//! `stand-in ADDRESS`: answers in the place of every frontend that the operator may ask, as a settled cluster of one pod
//! a role would. It knows the calls by their paths alone; what it has no answer to gets an empty message, which proves
//! to the operator's canary that somebody is there.

use std::convert::Infallible;
use std::process::ExitCode;

use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;

mod answers;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let Some(address) = std::env::args().nth(1) else {
        eprintln!("an address is needed, such as 0.0.0.0:7233");
        return ExitCode::FAILURE;
    };
    let Err(error) = serve(&address).await;
    eprintln!("cannot listen on {address}: {error}");
    ExitCode::FAILURE
}

async fn serve(address: &str) -> std::io::Result<Infallible> {
    let listener = TcpListener::bind(address).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let connection =
            http2::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service_fn(answer));
        // how a caller leaves is its own affair
        tokio::spawn(async { drop(connection.await) });
    }
}

/// Any call: the answer in a gRPC frame, and the status after it.
async fn answer(
    request: Request<Incoming>,
) -> Result<Response<impl Body<Data = Bytes, Error = Infallible>>, Infallible> {
    let call = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
    // to leave a request half read would end its stream as an error
    drop(request.into_body().collect().await);
    let message = answers::to(&call);
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX).to_be_bytes();
    let frame: Vec<u8> = [0].into_iter().chain(length).chain(message).collect();
    let fine = HeaderMap::from_iter([(HeaderName::from_static("grpc-status"), HeaderValue::from_static("0"))]);
    let mut response = Response::new(Full::new(Bytes::from(frame)).with_trailers(async { Some(Ok(fine)) }));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    Ok(response)
}
