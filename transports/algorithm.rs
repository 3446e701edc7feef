//! Names of certificate algorithms, for errors.

/// Algorithms of servers that *ring* cannot verify, and those combined with them.
const NAMES: [(&str, &str); 23] = [
    ("1.2.840.10045.2.1", "EC"),
    ("1.2.840.10045.3.1.7", "P-256"),
    ("1.3.132.0.10", "secp256k1"),
    ("1.3.132.0.33", "P-224"),
    ("1.3.132.0.34", "P-384"),
    ("1.3.132.0.35", "P-521"),
    ("1.2.840.10045.4.1", "ecdsa-with-SHA1"),
    ("1.2.840.10045.4.3.1", "ecdsa-with-SHA224"),
    ("1.2.840.10045.4.3.2", "ecdsa-with-SHA256"),
    ("1.2.840.10045.4.3.3", "ecdsa-with-SHA384"),
    ("1.2.840.10045.4.3.4", "ecdsa-with-SHA512"),
    ("1.2.840.113549.1.1.1", "RSA"),
    ("1.2.840.113549.1.1.4", "md5WithRSAEncryption"),
    ("1.2.840.113549.1.1.5", "sha1WithRSAEncryption"),
    ("1.2.840.113549.1.1.10", "RSASSA-PSS"),
    ("1.2.840.113549.1.1.11", "sha256WithRSAEncryption"),
    ("1.2.840.113549.1.1.12", "sha384WithRSAEncryption"),
    ("1.2.840.113549.1.1.13", "sha512WithRSAEncryption"),
    ("1.2.840.113549.1.1.14", "sha224WithRSAEncryption"),
    ("1.3.101.112", "Ed25519"),
    ("1.3.101.113", "Ed448"),
    ("1.2.156.10197.1.301", "SM2"),
    ("1.2.156.10197.1.501", "SM2-with-SM3"),
];

/// The name of an `AlgorithmIdentifier` (DER, without its outer tag). Uses its last object
/// identifier, such as the curve of a key, in dotted form if it is not in the list.
pub(super) fn name(identifier: &[u8]) -> String {
    let mut rest = identifier;
    let mut name = None;
    // An object identifier is shorter than 128 bytes, so that its length is one byte.
    while let [0x06, length, after @ ..] = rest
        && let Some((object_identifier, after)) = after.split_at_checked(usize::from(*length))
    {
        name = Some(dotted(object_identifier));
        rest = after;
    }
    let name = name.unwrap_or_else(|| "an unknown algorithm".to_owned());
    NAMES.iter().find(|(dotted, _)| *dotted == name).map_or(name, |(_, name)| (*name).to_owned())
}

fn dotted(object_identifier: &[u8]) -> String {
    let mut numbers = Vec::new();
    let mut number = 0_u128;
    for byte in object_identifier {
        number = number << 7 | u128::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            // The first byte encodes the first two numbers.
            if numbers.is_empty() {
                let first = (number / 40).min(2);
                numbers.push(first);
                number -= 40 * first;
            }
            numbers.push(number);
            number = 0;
        }
    }
    numbers.iter().map(u128::to_string).collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use super::name;

    #[test]
    fn identifiers_have_names() {
        for (identifier, expected) in [
            (&b"\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x04"[..], "ecdsa-with-SHA512"),
            (b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x23", "P-521"),
            (b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05\x05\x00", "sha1WithRSAEncryption"),
            (b"\x06\x08\x2a\x81\x1c\xcf\x55\x01\x83\x75", "SM2-with-SM3"),
            (b"\x06\x03\x2b\x65\x71", "Ed448"),
            (b"\x06\x03\x55\x04\x03", "2.5.4.3"),
            (b"\x06\x03\x88\x37\x03", "2.999.3"),
            (b"", "an unknown algorithm"),
            (b"\x06", "an unknown algorithm"),
            (b"\x06\xff\x01", "an unknown algorithm"),
            (b"\x30\x00", "an unknown algorithm"),
        ] {
            assert_eq!(name(identifier), expected);
        }
        // Huge numbers are dropped without a panic.
        assert_eq!(name(&[&[6, 127][..], &[0xff; 127]].concat()), "");
    }
}
