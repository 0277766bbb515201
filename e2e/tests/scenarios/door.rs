//! A door before a Temporal: TLS, and who may come in. It stands on the host and is open as long as its value lives.

use std::sync::{Arc, Mutex};

use e2e::layout::HOST_IP;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http2::SendRequest;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE};
use hyper::service::service_fn;
use hyper::{Request, Response, client, server};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

use super::postgres::Authority;

/// The name in its certificate.
pub const NAME: &str = "temporal.door";

/// Who may come in: with any certificate of the authority's, or with this key.
type Key = Arc<Mutex<Option<String>>>;

/// A door.
pub struct Door {
    /// Where it is.
    pub address: String,
    key: Key,
    task: JoinHandle<()>,
}

impl Drop for Door {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Door {
    /// Opens one to a frontend. Without a key it demands a certificate.
    pub async fn open(authority: &Authority, to: String, key: Option<&str>) -> Self {
        let tls = TlsAcceptor::from(Arc::new(tls(authority, key.is_none())));
        let listener = TcpListener::bind((HOST_IP, 0)).await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let key = Key::new(Mutex::new(key.map(str::to_owned)));
        let asked = key.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(admit(tls.clone(), stream, to.clone(), asked.clone()));
            }
        });
        Self { address, key, task }
    }

    /// From now on it is this key alone.
    pub fn change_key(&self, key: &str) {
        *self.key.lock().unwrap() = Some(key.to_owned());
    }
}

fn tls(authority: &Authority, demands_certificate: bool) -> ServerConfig {
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions().unwrap();
    let builder = if demands_certificate {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(authority.pem.as_bytes()).unwrap()).unwrap();
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
        builder.with_client_cert_verifier(verifier)
    } else {
        builder.with_no_client_auth()
    };
    let own = authority.certificate(NAME, &[NAME]);
    let certificate = CertificateDer::from_pem_slice(own.certificate.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(own.key.as_bytes()).unwrap();
    let mut config = builder.with_single_cert(vec![certificate], key).unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    config
}

/// One who comes, with a connection behind the door of his own.
async fn admit(tls: TlsAcceptor, stream: TcpStream, to: String, key: Key) {
    // who is not let in is told by the alert
    let Ok(stream) = tls.accept(stream).await else { return };
    let Ok(inside) = TcpStream::connect(&to).await else { return };
    let Ok((inside, connection)) = client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(inside)).await
    else {
        return;
    };
    tokio::spawn(connection);
    let pass = service_fn(move |request| call(request, inside.clone(), to.clone(), key.clone()));
    let server = server::conn::http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), pass);
    let _ = server.await;
}

async fn call(
    mut request: Request<Incoming>,
    mut inside: SendRequest<Incoming>,
    to: String,
    key: Key,
) -> hyper::Result<Response<BoxBody<Bytes, hyper::Error>>> {
    let wanted = key.lock().unwrap().as_ref().map(|key| format!("Bearer {key}"));
    let shown = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    if wanted.is_some() && shown != wanted.as_deref() {
        let refusal = Response::builder().header(CONTENT_TYPE, "application/grpc").header("grpc-status", "16");
        let refusal = refusal.header("grpc-message", "this key is not known");
        return Ok(refusal.body(Empty::new().map_err(|never| match never {}).boxed()).unwrap());
    }
    let path = request.uri().path().to_owned();
    *request.uri_mut() = format!("http://{to}{path}").parse().unwrap();
    Ok(inside.send_request(request).await?.map(BodyExt::boxed))
}
