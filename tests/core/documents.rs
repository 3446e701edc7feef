//! Documents that repeat each other agree: README in both languages, its figures, and the features.

use std::fmt::Debug;

const ENGLISH: &str = include_str!("../../README.md");
const CHINESE: &str = include_str!("../../README.zh-CN.md");
const MANIFEST: &str = include_str!("../../Cargo.toml");
const CRATE_PAGE: &str = include_str!("../../src/lib.rs");
const BENCHMARKS: &str = include_str!("../../BENCHMARKS.md");

/// The parts of a document that a translation must keep.
#[derive(Default)]
struct Markdown {
    headings: Vec<usize>,
    /// Fenced blocks with their info strings.
    blocks: Vec<String>,
    links: Vec<String>,
    /// The code in the text of each section, sorted, because the word order differs.
    code: Vec<Vec<String>>,
    /// For each row of each table, the number of cells and the figures.
    tables: Vec<Vec<(usize, Vec<String>)>>,
}

impl Markdown {
    fn parse(text: &str) -> Self {
        let mut parsed = Self { code: vec![Vec::new()], ..Self::default() };
        let mut block: Option<String> = None;
        let mut was_table = false;
        for line in text.lines() {
            let is_fence = line.starts_with("```");
            if let Some(open) = &mut block {
                *open += line;
                *open += "\n";
                parsed.blocks.extend(block.take_if(|_| is_fence));
                continue;
            }
            if is_fence {
                block = Some(format!("{line}\n"));
            } else if line.starts_with('#') {
                parsed.headings.push(line.len() - line.trim_start_matches('#').len());
                parsed.code.push(Vec::new());
            }
            let is_table = line.starts_with('|');
            if is_table && !was_table {
                parsed.tables.push(Vec::new());
            }
            if is_table {
                let row = (line.matches('|').count() - 1, figures(line));
                parsed.tables.last_mut().unwrap().push(row);
            }
            was_table = is_table;
            if !is_fence {
                let targets =
                    line.split("](").skip(1).map(|rest| rest.split(')').next().unwrap().to_owned());
                parsed.links.extend(targets);
                parsed
                    .code
                    .last_mut()
                    .unwrap()
                    .extend(line.split('`').skip(1).step_by(2).map(str::to_owned));
            }
        }
        assert!(block.is_none(), "a fence is not closed");
        parsed.code.iter_mut().for_each(|code| code.sort());
        parsed
    }
}

/// The numbers in a text: digits, with points and commas between them.
fn figures(text: &str) -> Vec<String> {
    let is_part = |character: char| character.is_ascii_digit() || matches!(character, '.' | ',');
    text.split(|character| !is_part(character))
        .map(|run| run.trim_matches(['.', ',']))
        .filter(|run| !run.is_empty())
        .map(str::to_owned)
        .collect()
}

/// Reports only the first difference, because the whole documents are too long.
fn assert_same<T: PartialEq + Debug>(what: &str, english: &[T], chinese: &[T]) {
    for (number, (english, chinese)) in english.iter().zip(chinese).enumerate() {
        assert!(
            english == chinese,
            "{what} {number}:\n README.md {english:?}\n README.zh-CN.md {chinese:?}"
        );
    }
    assert_eq!(
        english.len(),
        chinese.len(),
        "{what}: README.md and README.zh-CN.md have different numbers"
    );
}

#[test]
fn both_languages_have_the_same_structure() {
    let (english, mut chinese) = (Markdown::parse(ENGLISH), Markdown::parse(CHINESE));
    assert_eq!(
        (english.links[0].as_str(), chinese.links[0].as_str()),
        ("README.zh-CN.md", "README.md")
    );
    chinese.links[0].clone_from(&english.links[0]);

    assert_same("level of heading", &english.headings, &chinese.headings);
    assert_same("block of code", &english.blocks, &chinese.blocks);
    assert_same("target of link", &english.links, &chinese.links);
    assert_same("code in section", &english.code, &chinese.code);
    assert_same("table", &english.tables, &chinese.tables);
    assert!(
        english.blocks.len() > 5 && english.links.len() > 5 && english.tables.len() > 2,
        "README must be parsed"
    );
}

#[test]
fn every_figure_of_the_comparison_is_in_the_benchmarks() {
    let measured: Vec<&str> = ENGLISH
        .lines()
        .filter(|line| line.starts_with('|') && line.contains("`official-sdk`"))
        .collect();
    assert_eq!(measured.len(), 3);
    for figure in measured.into_iter().flat_map(figures) {
        assert!(figures(BENCHMARKS).contains(&figure), "BENCHMARKS.md has no {figure}");
    }
}

#[test]
fn every_feature_is_in_both_tables() {
    let rows: Vec<&str> =
        ENGLISH.lines().skip_while(|line| *line != "| feature | what it adds |").skip(2).collect();
    let rows: Vec<&str> = rows.into_iter().take_while(|line| line.starts_with('|')).collect();
    assert!(
        rows.iter().all(|row| CRATE_PAGE.contains(&format!("//! {row}\n"))),
        "the tables of src/lib.rs and README.md differ"
    );

    let mut documented: Vec<&str> = rows.iter().map(|row| row.split('`').nth(1).unwrap()).collect();
    let manifest = MANIFEST.split("\n[features]\n").nth(1).unwrap().split("\n[").next().unwrap();
    let mut features: Vec<&str> = manifest
        .lines()
        .filter(|line| line.starts_with(|first: char| first.is_ascii_lowercase()))
        .filter_map(|line| line.split(" = ").next())
        .filter(|feature| *feature != "default")
        .collect();
    documented.sort_unstable();
    features.sort_unstable();
    assert_eq!(documented, features);
}

/// The emulator names all operations when it rejects another one.
#[cfg(feature = "emulator")]
#[test]
fn every_operation_is_documented_and_tested() {
    use crate::calls::{credentials, now, target};
    use oss_delete_vectors::emulator::Emulator;
    use oss_delete_vectors::{DeleteVectors, Operation};

    let mut emulator = Emulator::with_vectors(&target(), credentials(), ["a"]).unwrap();
    let request = http::Request::post("http://localhost/?other").body("").unwrap();
    let response = emulator.handle(now(std::time::Duration::ZERO), &request);
    let error = DeleteVectors::parse_response(&response).unwrap_err();
    let names: Vec<&str> = error.message().split('?').skip(1).collect();
    assert!(names.len() >= 4, "{error}");
    for name in names {
        let name = name.trim_end_matches(", ").to_lowercase();
        // Only documentation has a backtick before a name.
        for (file, text, before) in [
            ("README.md", ENGLISH, ""),
            ("README.zh-CN.md", CHINESE, ""),
            ("src/lib.rs", CRATE_PAGE, "`"),
            ("src/operation.rs", include_str!("../../src/operation.rs"), "`"),
            ("src/emulator.rs", include_str!("../../src/emulator.rs"), "`"),
            ("Emulator::handle", include_str!("../../src/emulator/handle.rs"), "`"),
            ("--help", include_str!("../../src/bin/vectors-emulator/args.rs"), ""),
            ("parse_never_panics", include_str!("parse_never_panics.rs"), ""),
            ("thread_safety", include_str!("thread_safety.rs"), ""),
        ] {
            assert!(
                text.to_lowercase().contains(&format!("{before}{name}")),
                "{file} lacks {name}"
            );
        }
    }
}
