//! What is public can be shared between threads and kept as long as one likes.

use std::error::Error;

use oss_delete_vectors::signing::{Authorization, AuthorizationForm, Resource, Signature, Signer, Unauthorized};
use oss_delete_vectors::{
    Credentials, DeleteVectors, Deleted, Endpoint, Invalid, Key, KeyBatch, Now, RequestError, ServiceError, Target, TargetBuilder,
};

#[test]
fn public_types_go_between_threads() {
    fn assert_shareable<T: Send + Sync + Unpin + 'static>() {}
    fn assert_error<T: Error + Send + Sync + 'static>() {}

    assert_shareable::<Authorization>();
    assert_shareable::<AuthorizationForm>();
    assert_shareable::<Credentials>();
    assert_shareable::<DeleteVectors>();
    assert_shareable::<Deleted>();
    assert_shareable::<Endpoint>();
    assert_shareable::<Key<'static>>();
    assert_shareable::<KeyBatch>();
    assert_shareable::<Now>();
    assert_shareable::<Resource>();
    assert_shareable::<Signature>();
    assert_shareable::<Signer>();
    assert_shareable::<Target>();
    assert_shareable::<TargetBuilder>();
    assert_error::<Invalid>();
    assert_error::<RequestError>();
    assert_error::<ServiceError>();
    assert_error::<Unauthorized>();
    #[cfg(feature = "emulator")]
    {
        use oss_delete_vectors::emulator::{Emulator, Identity, RateLimit};
        assert_shareable::<Emulator>();
        assert_shareable::<Identity>();
        assert_shareable::<RateLimit>();
    }
}
