//! `aws-sdk-s3vectors`: the corresponding call of S3 Vectors, with defaults unless noted here.

use aws_credential_types::Credentials;
use aws_sdk_s3vectors::Client;
use aws_sdk_s3vectors::config::retry::RetryConfig;
use aws_sdk_s3vectors::config::{Config, Region, SharedHttpClient};
use aws_sdk_s3vectors::error::SdkError;
use aws_sdk_s3vectors::operation::delete_vectors::{DeleteVectorsError, DeleteVectorsOutput};
use aws_smithy_http_client::Builder;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;

use crate::fixture::{ACCESS_KEY_ID, ACCESS_KEY_SECRET, BUCKET, INDEX_NAME};

/// With the SDK's own hyper client, without TLS, to a server on loopback.
#[must_use]
pub fn on_loopback(port: u16, retries: RetryConfig) -> Client {
    client(format!("http://127.0.0.1:{port}"), Builder::new().build_http(), retries)
}

/// With a connector that responds at once, without retries: everything except the network.
#[must_use]
pub fn without_network() -> Client {
    client(
        "https://example.com".to_owned(),
        SharedHttpClient::new(AnswersAtOnce),
        RetryConfig::disabled(),
    )
}

#[must_use]
pub fn credentials() -> Credentials {
    Credentials::new(ACCESS_KEY_ID, ACCESS_KEY_SECRET, None, None, "static")
}

/// One call. Takes ownership of the keys.
///
/// # Errors
///
/// The error of the SDK, after its retries.
pub async fn delete_vectors(
    client: &Client,
    keys: Vec<String>,
) -> Result<DeleteVectorsOutput, SdkError<DeleteVectorsError>> {
    client
        .delete_vectors()
        .vector_bucket_name(BUCKET)
        .index_name(INDEX_NAME)
        .set_keys(Some(keys))
        .send()
        .await
}

fn client(endpoint: String, http_client: SharedHttpClient, retries: RetryConfig) -> Client {
    let config = Config::builder()
        .behavior_version_latest()
        .region(Region::from_static("us-east-1"))
        .credentials_provider(credentials())
        .endpoint_url(endpoint)
        .http_client(http_client)
        .retry_config(retries);
    Client::from_conf(config.build())
}

#[derive(Debug, Clone)]
struct AnswersAtOnce;

impl HttpClient for AnswersAtOnce {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(Self)
    }
}

impl HttpConnector for AnswersAtOnce {
    fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
        let status = StatusCode::try_from(200).expect("200 is a status");
        HttpConnectorFuture::ready(Ok(HttpResponse::new(status, SdkBody::from("{}"))))
    }
}
