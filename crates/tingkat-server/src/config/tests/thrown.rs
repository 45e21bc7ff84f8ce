//! Arbitrary files and variables: whatever they say, they are judged and never break the loader,
//! and what is told has no secret in it.

use proptest::prelude::*;

use super::Case;
use crate::config::keys;
use crate::config::origin::Source;

const SECRET: &str = "hunter2";

/// Keys there are, keys like them, and others.
fn path() -> impl Strategy<Value = String> {
    let known = (0..keys::all().len()).prop_map(|at| keys::all()[at].path.clone());
    prop_oneof![
        4 => known,
        1 => "[a-z_]{1,8}(\\.[a-z_]{1,8}){0,2}",
        1 => Just("redis".to_owned()),
    ]
}

fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<i64>().prop_map(|it| it.to_string()),
        any::<f64>().prop_map(|it| format!("{it:?}")),
        any::<bool>().prop_map(|it| it.to_string()),
        ".{0,20}".prop_map(|it| format!("{it:?}")),
        "[0-9]{1,4}(ms|s|m|h|MiB|KiB)".prop_map(|it| format!("{it:?}")),
        Just("\"redis://u:hunter2@cache:6379/0\"".to_owned()),
        Just("\"hunter2\"".to_owned()),
        Just("[\"hunter2\", 1]".to_owned()),
        Just("{ a = \"hunter2\" }".to_owned()),
        Just("'''\nhunter2\n'''".to_owned()),
        Just("\"hunter2".to_owned()),
        Just("hunter2".to_owned()),
    ]
}

/// Values of these are shown as they are, so that a test may not take them for secrets.
fn is_plain(path: &str) -> bool {
    keys::find(path).is_some_and(|key| !key.kind.is_secret())
}

fn line() -> impl Strategy<Value = String> {
    (path(), value())
        .prop_filter("a secret where none belongs", |(path, value)| {
            !(is_plain(path) && value.contains(SECRET) && !value.contains('@'))
        })
        .prop_flat_map(|(path, value)| {
            let beside = prop_oneof![
                6 => Just(String::new()),
                1 => Just(" # hunter2".to_owned()),
                1 => Just("# url = \"redis://:hunter2@cache\"".to_owned()),
                1 => Just(", password = \"hunter2\"".to_owned()),
                1 => Just(" password = \"hunter2\"".to_owned()),
                1 => Just(" \"hunter2\"".to_owned()),
            ];
            beside.prop_map(move |beside| format!("{path} = {value}{beside}"))
        })
}

/// A name that is none, with a login in it.
fn odd() -> impl Strategy<Value = String> {
    prop_oneof![
        9 => Just(String::new()),
        1 => Just("\"redis://:hunter2@cache\" = 1".to_owned()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_text_is_judged_as_a_file(text in ".{0,200}") {
        Case::file(&text).told();
    }

    #[test]
    fn files_of_keys_are_judged_and_their_secrets_are_not_told(
        lines in prop::collection::vec(line(), 0..8),
        odd in odd(),
    ) {
        let case = Case::file(&[odd, lines.join("\n")].join("\n"));
        let loaded = case.load();
        let told = case.told();
        prop_assert!(!told.contains(SECRET), "{told}");
        for problem in &loaded.problems {
            prop_assert!(!problem.object().to_string().contains(SECRET));
        }
        for key in keys::all() {
            for setting in loaded.settings.layers(&key.path) {
                prop_assert!(!setting.value.in_toml().contains(SECRET), "{}", key.path);
            }
        }
    }

    #[test]
    fn any_variables_are_judged(
        known in prop::collection::vec((0..keys::all().len(), ".{0,30}"), 0..6),
        others in prop::collection::vec(("TINGKAT_{1,3}[A-Z_]{0,20}", ".{0,30}"), 0..3),
        environment in "development|staging|production|.{0,5}",
    ) {
        let mut case = Case::variable("TINGKAT_ENV", &environment);
        for (at, value) in known {
            case = case.and(&keys::all()[at].own_variable(), &value);
        }
        for (name, value) in others {
            case = case.and(&name, &value);
        }
        case.told();
    }

    #[test]
    fn a_part_of_a_file_is_found_again_in_what_is_shown_of_it(
        before in "[a-z\n]{0,20}",
        hidden in "[A-Z]{1,20}",
        between in "[a-z\n]{0,20}",
        part in "[0-9]{1,9}",
    ) {
        let text = format!("{before}{hidden}{between}{part}{hidden}");
        let (start, from) = (before.len(), before.len() + hidden.len() + between.len());
        let end = from + part.len();
        let source = Source {
            name: String::new(),
            text: text.clone().into(),
            hidden: vec![start..start + hidden.len(), end..text.len()],
        };
        let (shown, found) = source.censored(&(from..end));
        prop_assert_eq!(&shown[found], part.as_str());
        prop_assert!(!shown.contains(char::is_uppercase));
    }
}
