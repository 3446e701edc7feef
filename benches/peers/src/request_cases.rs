//! Cases for `requests` and `allocations`: one request, built and signed by each client.

use std::sync::Arc;
use std::time::Duration;

use aws_sigv4::http_request::{
    SignableBody, SignableRequest, SigningParams, SigningSettings, sign,
};
use aws_sigv4::sign::v4;
use bytes::Bytes;
use http::Request;
use http::header::USER_AGENT;
use md5::{Digest, Md5};
use oss_delete_vectors::signing::Signer;
use oss_delete_vectors::{DeleteVectors, KeyBatch};
use reqsign_aliyun_oss::{Credential, RequestSigner, SigningVersion};
use reqsign_core::{Context, SignRequest};
use rusty_s3::{Bucket, S3Action, UrlStyle};

use crate::floor::Floor;
use crate::measure::Case;
use crate::{aws, fixture};

pub const MD5: &str = "MD5 of the body alone";
pub const FLOOR: &str = "floor, from a slice of keys";
pub const OURS: &str = "ours, from a KeyBatch";
pub const OURS_FROM_KEYS: &str = "ours, from a slice of keys";
pub const AWS: &str = "aws-sdk-s3vectors, keys given away";
pub const AWS_FROM_KEYS: &str = "aws-sdk-s3vectors, from a slice of keys";

pub const SIGN_FLOOR: &str = "sign in place: floor";
pub const SIGN_OURS: &str = "sign in place: ours";
pub const RETRY_FLOOR: &str = "clone and sign (a retry): floor";
pub const RETRY_OURS: &str = "clone and sign (a retry): ours";
pub const SIGN_REQSIGN: &str = "sign in place: reqsign-aliyun-oss V4";
pub const SIGN_AWS: &str = "sign in place: aws-sigv4";
pub const SIGN_RUSTY_S3: &str = "presign: rusty-s3";

/// Building and signing a request with `count` keys.
///
/// A caller that keeps its keys has to copy them: the AWS SDK takes ownership of them, and ours
/// copies them into a `KeyBatch`. Both are measured with and without a copy.
///
/// # Panics
///
/// If the floor and the crate do not produce the same request.
#[must_use]
pub fn building(count: usize) -> Vec<Case> {
    let keys: Arc<[String]> = fixture::keys(count).into();
    let target = fixture::public_target();
    let call = DeleteVectors::new(&target, KeyBatch::new(&*keys).unwrap());
    let ours = signed(&call);
    let floor = Floor::new(&target, ours.headers()[USER_AGENT].clone(), fixture::time());
    assert_same(&floor.request(&keys, fixture::time()), &ours);

    let body = ours.into_body();
    let keys_of_floor = Arc::clone(&keys);
    let (signer, signer_from_keys) = (signer(), signer());
    let keys_of_ours = Arc::clone(&keys);
    let (client, client_from_keys) = (aws::without_network(), aws::without_network());
    let (keys_of_aws, keys_of_aws_call) = (Arc::clone(&keys), keys);
    let (runtime, runtime_from_keys) = (runtime(), runtime());
    vec![
        Case::new(MD5, move || Md5::digest(std::hint::black_box(&body))),
        Case::new(FLOOR, move || floor.request(&keys_of_floor, fixture::time())),
        Case::new(OURS, move || {
            let mut request = call.to_request();
            signer.sign(&mut request, fixture::time());
            request
        }),
        Case::new(OURS_FROM_KEYS, move || {
            let mut request =
                DeleteVectors::new(&target, KeyBatch::new(&*keys_of_ours).unwrap()).to_request();
            signer_from_keys.sign(&mut request, fixture::time());
            request
        }),
        Case::with_inputs(
            AWS,
            move || keys_of_aws.to_vec(),
            move |keys| runtime.block_on(aws::delete_vectors(&client, keys)).unwrap(),
        ),
        Case::new(AWS_FROM_KEYS, move || {
            runtime_from_keys
                .block_on(aws::delete_vectors(&client_from_keys, keys_of_aws_call.to_vec()))
                .unwrap()
        }),
    ]
}

/// Only the signature, of a request with 500 keys. The body is not read.
///
/// # Panics
///
/// If the floor and the crate do not produce the same request.
#[must_use]
pub fn signing() -> Vec<Case> {
    let target = fixture::public_target();
    let call = DeleteVectors::new(&target, KeyBatch::new(fixture::keys(500)).unwrap());
    let unsigned = call.to_request();
    let signed = signed(&call);
    let new_floor = || Floor::new(&target, signed.headers()[USER_AGENT].clone(), fixture::time());

    let (floor, mut by_floor) = (new_floor(), signed.clone());
    floor.sign(&mut by_floor, fixture::time());
    assert_same(&by_floor, &signed);
    let (retrying_floor, kept_by_floor) = (new_floor(), unsigned.clone());
    let (sign_signer, mut by_us) = (signer(), signed);
    let (retry_signer, kept_by_us) = (signer(), unsigned.clone());
    vec![
        Case::new(SIGN_FLOOR, move || floor.sign(&mut by_floor, fixture::time())),
        Case::new(SIGN_OURS, move || sign_signer.sign(&mut by_us, fixture::time())),
        Case::new(RETRY_FLOOR, move || {
            let mut retry = kept_by_floor.clone();
            retrying_floor.sign(&mut retry, fixture::time());
            retry
        }),
        Case::new(RETRY_OURS, move || {
            let mut retry = kept_by_us.clone();
            retry_signer.sign(&mut retry, fixture::time());
            retry
        }),
        reqsign(&unsigned),
        aws_sigv4(unsigned),
        rusty_s3(),
    ]
}

/// Reads the clock itself (25 ns). The payload is unsigned, as in ours.
fn reqsign(unsigned: &Request<Bytes>) -> Case {
    let signer = RequestSigner::new(fixture::BUCKET)
        .with_region(fixture::REGION)
        .with_signing_version(SigningVersion::V4);
    let credential = Credential {
        access_key_id: fixture::ACCESS_KEY_ID.to_owned(),
        access_key_secret: fixture::ACCESS_KEY_SECRET.to_owned(),
        ..Credential::default()
    };
    let (mut head, _) = unsigned.clone().into_parts();
    let (runtime, context) = (runtime(), Context::new());
    Case::new(SIGN_REQSIGN, move || {
        runtime
            .block_on(signer.sign_request(&context, &mut head, Some(&credential), None))
            .unwrap();
    })
}

/// The same headers, and an unsigned payload, as in ours. Removes its own headers from the last
/// time, because it would sign them.
fn aws_sigv4(mut request: Request<Bytes>) -> Case {
    let identity = aws::credentials().into();
    let uri = request.uri().to_string();
    Case::new(SIGN_AWS, move || {
        let params: SigningParams<'_> = v4::SigningParams::builder()
            .identity(&identity)
            .region("us-east-1")
            .name("s3vectors")
            .time(fixture::time())
            .settings(SigningSettings::default())
            .build()
            .unwrap()
            .into();
        for added in ["authorization", "x-amz-date"] {
            request.headers_mut().remove(added);
        }
        let headers =
            request.headers().iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap()));
        let signable =
            SignableRequest::new("POST", &*uri, headers, SignableBody::UnsignedPayload).unwrap();
        let (instructions, _) = sign(signable, &params).unwrap().into_parts();
        instructions.apply_to_request_http1x(&mut request);
    })
}

/// It supports only the query form.
fn rusty_s3() -> Case {
    let endpoint = "https://s3.us-east-1.amazonaws.com".parse().unwrap();
    let bucket =
        Bucket::new(endpoint, UrlStyle::VirtualHost, fixture::BUCKET, "us-east-1").unwrap();
    let credentials =
        rusty_s3::Credentials::new(fixture::ACCESS_KEY_ID, fixture::ACCESS_KEY_SECRET);
    Case::new(SIGN_RUSTY_S3, move || {
        bucket.delete_object(Some(&credentials), "doc-001").sign(Duration::from_secs(900))
    })
}

fn signer() -> Signer {
    Signer::new(&fixture::public_target(), fixture::credentials())
}

fn signed(call: &DeleteVectors) -> Request<Bytes> {
    let mut request = call.to_request();
    signer().sign(&mut request, fixture::time());
    request
}

fn assert_same(floor: &Request<Bytes>, ours: &Request<Bytes>) {
    assert_eq!((floor.method(), floor.uri()), (ours.method(), ours.uri()));
    assert_eq!(floor.headers(), ours.headers());
    assert_eq!(floor.body(), ours.body());
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}
