//! Temporal's services on a channel, and requests with their deadline.

use std::time::Duration;

use tonic::Request;
use tonic::metadata::MetadataValue;

use super::dial::Channel;
use super::proto::admin::admin_service_client::AdminServiceClient;
use super::proto::operator::operator_service_client::OperatorServiceClient;
use super::proto::workflow::workflow_service_client::WorkflowServiceClient;

/// Largest answer that is read, in bytes. 16384 shards, the most in use, are 50 KB.
const MAX_ANSWER: usize = 1024 * 1024;

pub(super) fn workflow(channel: Channel) -> WorkflowServiceClient<Channel> {
    WorkflowServiceClient::new(channel).max_decoding_message_size(MAX_ANSWER)
}

pub(super) fn operations(channel: Channel) -> OperatorServiceClient<Channel> {
    OperatorServiceClient::new(channel).max_decoding_message_size(MAX_ANSWER)
}

pub(super) fn admin(channel: Channel) -> AdminServiceClient<Channel> {
    AdminServiceClient::new(channel).max_decoding_message_size(MAX_ANSWER)
}

/// See [`GrpcTemporal::request`].
pub(super) fn request_within<M>(deadline: Duration, message: M) -> Request<M> {
    let mut request = change_within(deadline, message);
    request.metadata_mut().insert("caller-type", MetadataValue::from_static("operator"));
    request
}

/// Without precedence: of changes of namespaces and of workers' routes an operator may make a fifth of what others may
/// (`system.operatorRPSRatio`).
pub(super) fn change_within<M>(deadline: Duration, message: M) -> Request<M> {
    let mut request = Request::new(message);
    request.set_timeout(deadline);
    request
}
