//! MD5 of several bodies side by side.
//!
//! Each step of MD5 needs the result of the one before, so that a processor that could do four
//! operations at a time does two. Bodies that are hashed in turns, step by step, do not wait for
//! each other: three take little longer than one.

use std::array::from_fn;
use std::hint::black_box;

use md5::block_api;

/// A word of the state, of each body.
type Word<const N: usize> = [u32; N];

const START: [u32; 4] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];

/// The constants of RFC 1321, by round.
#[rustfmt::skip]
const SINES: [[u32; 16]; 4] = [
    [
        0xd76a_a478, 0xe8c7_b756, 0x2420_70db, 0xc1bd_ceee, 0xf57c_0faf, 0x4787_c62a, 0xa830_4613, 0xfd46_9501,
        0x6980_98d8, 0x8b44_f7af, 0xffff_5bb1, 0x895c_d7be, 0x6b90_1122, 0xfd98_7193, 0xa679_438e, 0x49b4_0821,
    ], [
        0xf61e_2562, 0xc040_b340, 0x265e_5a51, 0xe9b6_c7aa, 0xd62f_105d, 0x0244_1453, 0xd8a1_e681, 0xe7d3_fbc8,
        0x21e1_cde6, 0xc337_07d6, 0xf4d5_0d87, 0x455a_14ed, 0xa9e3_e905, 0xfcef_a3f8, 0x676f_02d9, 0x8d2a_4c8a,
    ], [
        0xfffa_3942, 0x8771_f681, 0x6d9d_6122, 0xfde5_380c, 0xa4be_ea44, 0x4bde_cfa9, 0xf6bb_4b60, 0xbebf_bc70,
        0x289b_7ec6, 0xeaa1_27fa, 0xd4ef_3085, 0x0488_1d05, 0xd9d4_d039, 0xe6db_99e5, 0x1fa2_7cf8, 0xc4ac_5665,
    ], [
        0xf429_2244, 0x432a_ff97, 0xab94_23a7, 0xfc93_a039, 0x655b_59c3, 0x8f0c_cc92, 0xffef_f47d, 0x8584_5dd1,
        0x6fa8_7e4f, 0xfe2c_e6e0, 0xa301_4314, 0x4e08_11a1, 0xf753_7e82, 0xbd3a_f235, 0x2ad7_d2bb, 0xeb86_d391,
    ],
];

/// The MD5 of each body.
pub(super) fn md5<const N: usize>(bodies: [&[u8]; N]) -> [[u8; 16]; N] {
    // Hidden, because LLVM adds a constant last, to what every step waits for.
    let sines = black_box(&SINES);
    let mut state = START.map(|word| [word; N]);
    let blocks = bodies.map(|body| body.as_chunks::<64>().0);
    let common = blocks.iter().map(|blocks| blocks.len()).min().unwrap_or_default();
    (0..common).for_each(|number| mix(&mut state, sines, from_fn(|body| &blocks[body][number])));
    from_fn(|body| finish(state.map(|word| word[body]), bodies[body], 64 * common))
}

/// Hashes the rest of a body, and its length.
fn finish(mut state: [u32; 4], body: &[u8], hashed: usize) -> [u8; 16] {
    let (blocks, rest) = body[hashed..].as_chunks::<64>();
    block_api::compress(&mut state, blocks);
    let mut end = [[0; 64]; 2];
    let bytes = end.as_flattened_mut();
    bytes[..rest.len()].copy_from_slice(rest);
    bytes[rest.len()] = 0x80;
    let length = if rest.len() < 56 { 64 } else { 128 };
    bytes[length - 8..length].copy_from_slice(&(8 * body.len() as u64).to_le_bytes());
    block_api::compress(&mut state, &end[..length / 64]);
    let mut digest = [0; 16];
    digest.as_chunks_mut().0.copy_from_slice(&state.map(u32::to_le_bytes));
    digest
}

/// Hashes one block of each body.
fn mix<const N: usize>(
    state: &mut [Word<N>; 4],
    [first, second, third, fourth]: &[[u32; 16]; 4],
    blocks: [&[u8; 64]; N],
) {
    let words = blocks.map(|block| {
        let (words, _) = block.as_chunks();
        from_fn(|word| u32::from_le_bytes(words[word]))
    });
    let mut mixed = *state;
    round(&mut mixed, &words, first, [7, 12, 17, 22], |step| step, |x, y, z| z ^ (x & (y ^ z)));
    // A sum instead of an or: its right side does not wait for `x`.
    round(
        &mut mixed,
        &words,
        second,
        [5, 9, 14, 20],
        |step| 5 * step + 1,
        |x, y, z| (x & z).wrapping_add(y & !z),
    );
    round(&mut mixed, &words, third, [4, 11, 16, 23], |step| 3 * step + 5, |x, y, z| x ^ y ^ z);
    round(&mut mixed, &words, fourth, [6, 10, 15, 21], |step| 7 * step, |x, y, z| y ^ (x | !z));
    for (word, mixed) in state.as_flattened_mut().iter_mut().zip(mixed.as_flattened()) {
        *word = word.wrapping_add(*mixed);
    }
}

/// Sixteen steps. `word_of` is the word of the block that a step takes.
#[inline(always)]
fn round<const N: usize>(
    [a, b, c, d]: &mut [Word<N>; 4],
    words: &[[u32; 16]; N],
    sines: &[u32; 16],
    [first, second, third, fourth]: [u32; 4],
    word_of: impl Fn(usize) -> usize,
    blend: impl Fn(u32, u32, u32) -> u32,
) {
    let step = |w: Word<N>, x: Word<N>, y: Word<N>, z: Word<N>, step: usize, turn: u32| {
        from_fn(|body| {
            w[body]
                .wrapping_add(sines[step])
                .wrapping_add(words[body][word_of(step) % 16])
                .wrapping_add(blend(x[body], y[body], z[body]))
                .rotate_left(turn)
                .wrapping_add(x[body])
        })
    };
    for start in [0, 4, 8, 12] {
        *a = step(*a, *b, *c, *d, start, first);
        *d = step(*d, *a, *b, *c, start + 1, second);
        *c = step(*c, *d, *a, *b, start + 2, third);
        *b = step(*b, *c, *d, *a, start + 3, fourth);
    }
}

#[cfg(test)]
mod tests {
    use md5::{Digest, Md5};

    use super::*;

    #[test]
    fn digests_are_those_of_each_body_alone() {
        let text: Vec<u8> = (0..=255).cycle().take(400).collect();
        for length in 0..300 {
            let bodies = [&text[..length], &text[3..100], &text[length..], &text[1..=length]];
            let alone: [[u8; 16]; 4] = bodies.map(|body| Md5::digest(body).into());
            assert_eq!(md5(bodies), alone, "{length}");
        }
    }
}
