//! Public types are `Send`, `Sync` and `'static`, and errors implement `Error`.

use std::error::Error;

use oss_delete_vectors::bulk::{
    BulkDelete, BulkOptions, Checkpoint, Event, FailedKeys, KeyOutcome, PushError, Rate, Report,
    Settled, Span, StopReason, Transmit, TransmitId,
};
use oss_delete_vectors::signing::{
    Authorization, AuthorizationForm, Resource, Signature, Signer, VerifyError,
};
use oss_delete_vectors::transports::{
    ListedKeys, Matching, MatchingKeys, MatchingObserver, NoProvider, OnEvent, Run, RunError,
    RunErrorKind, StopHandle,
};
use oss_delete_vectors::{
    AttemptError, Credentials, DeleteVectors, Deleted, Endpoint, Filter, Found, GetVectors,
    InvalidValue, Key, KeyBatch, KeyLister, Keys, ListError, ListEvent, ListVectors, Listed, Now,
    Passes, PutVectors, RequestError, Selection, ServiceError, Stored, Target, TargetBuilder,
    TransportError, Vector,
};

fn assert_shareable<T: Send + Sync + Unpin + 'static>() {}

fn assert_error<T: Error + Send + Sync + Unpin + 'static>() {}

#[test]
fn values_and_signatures_are_send_and_sync() {
    assert_shareable::<Authorization>();
    assert_shareable::<AuthorizationForm>();
    assert_shareable::<Credentials>();
    assert_shareable::<DeleteVectors>();
    assert_shareable::<Deleted>();
    assert_shareable::<Endpoint>();
    assert_shareable::<Filter>();
    assert_shareable::<Found>();
    assert_shareable::<GetVectors>();
    assert_shareable::<Key<'static>>();
    assert_shareable::<KeyBatch>();
    assert_shareable::<Keys<'static>>();
    assert_shareable::<ListEvent>();
    assert_shareable::<ListVectors>();
    assert_shareable::<Listed>();
    assert_shareable::<Now>();
    assert_shareable::<Passes>();
    assert_shareable::<PutVectors>();
    assert_shareable::<Resource>();
    assert_shareable::<Selection>();
    assert_shareable::<Signature>();
    assert_shareable::<Signer>();
    assert_shareable::<Stored>();
    assert_shareable::<Target>();
    assert_shareable::<TargetBuilder>();
    assert_shareable::<Vector>();
    assert_error::<ListError>();
    assert_error::<InvalidValue>();
    assert_error::<RequestError>();
    assert_error::<ServiceError>();
    assert_error::<VerifyError>();
}

#[test]
fn runs_are_send_and_sync() {
    assert_shareable::<BulkDelete>();
    assert_shareable::<BulkOptions>();
    assert_shareable::<Checkpoint>();
    assert_shareable::<Event>();
    assert_shareable::<FailedKeys>();
    assert_shareable::<KeyOutcome>();
    assert_shareable::<Rate>();
    assert_shareable::<Report>();
    assert_shareable::<Settled>();
    assert_shareable::<Span>();
    assert_shareable::<StopReason>();
    assert_shareable::<Transmit>();
    assert_shareable::<TransmitId>();
    assert_error::<AttemptError>();
    assert_error::<TransportError>();
    assert_error::<PushError>();
}

#[test]
fn transports_are_send() {
    fn assert_movable<T: Send + Unpin + 'static>() {}
    assert_movable::<KeyLister>();
    assert_movable::<ListedKeys<fn()>>();
    assert_shareable::<Matching>();
    assert_shareable::<MatchingObserver<()>>();
    assert_movable::<MatchingKeys<fn(), NoProvider>>();
    assert_shareable::<OnEvent<fn(Event)>>();
    assert_shareable::<Run<'static>>();
    assert_shareable::<RunErrorKind>();
    assert_shareable::<StopHandle>();
    assert_error::<AttemptError>();
    assert_error::<NoProvider>();
    assert_error::<RunError>();
    assert_error::<TransportError>();
    #[cfg(feature = "async")]
    assert_shareable::<oss_delete_vectors::transports::StreamIter<std::iter::Empty<&'static str>>>(
    );
    #[cfg(any(feature = "hyper", feature = "ureq"))]
    {
        use oss_delete_vectors::transports::{InvalidRoots, TransportOptions};
        assert_shareable::<TransportOptions>();
        assert_error::<InvalidRoots>();
    }
    #[cfg(feature = "hyper")]
    assert_shareable::<oss_delete_vectors::transports::HyperTransport>();
    #[cfg(feature = "ureq")]
    assert_shareable::<oss_delete_vectors::transports::UreqTransport>();
    #[cfg(feature = "serve")]
    {
        use oss_delete_vectors::transports::{Server, ServerOptions};
        assert_shareable::<Server>();
        assert_shareable::<ServerOptions>();
    }
}

#[cfg(feature = "emulator")]
#[test]
fn the_emulator_is_send_and_sync() {
    use oss_delete_vectors::emulator::{
        Emulator, Fault, Faults, FaultyNetwork, Identity, NetworkEvent, Outage, RateLimit,
    };
    assert_shareable::<Emulator>();
    assert_shareable::<Fault>();
    assert_shareable::<Faults>();
    assert_shareable::<FaultyNetwork<u64>>();
    assert_shareable::<Identity>();
    assert_shareable::<NetworkEvent<u64>>();
    assert_shareable::<Outage>();
    assert_shareable::<RateLimit>();
}

#[cfg(feature = "hyper")]
#[test]
fn futures_of_the_asynchronous_transport_are_send() {
    use oss_delete_vectors::transports::{HyperTransport, TransportOptions};

    fn assert_send(_: &impl Send) {}

    let transport = HyperTransport::new(&TransportOptions::new());
    let target = Target::builder()
        .region("cn-hangzhou")
        .account_id("1234567890123456")
        .bucket("examplebucket")
        .build()
        .unwrap();
    let credentials = Credentials::new("id", "secret").unwrap();
    assert_send(&transport.send(http::Request::new(bytes::Bytes::new())));
    let options = BulkOptions::new;
    assert_send(&transport.delete(&target, credentials.clone(), ["doc-001"], options()));
    assert_send(&transport.delete_matching(&target, credentials, Selection::all(), options()));
}
