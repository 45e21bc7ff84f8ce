//! The log, as it goes to a file or to another program.

use crate::program::{Folder, Program};

#[tokio::test]
async fn a_log_that_nobody_reads_on_a_terminal_has_no_colours() {
    let node = Program::serve(&Folder::new()).listening().await;
    node.says("the database answers").await;
    assert!(
        !node.process.log().contains('\u{1b}'),
        "{:?}",
        node.process.log()
    );
}

#[tokio::test]
async fn each_line_of_a_json_log_is_an_object_with_a_level_and_a_message() {
    let program = Program::serve(&Folder::new()).with("TINGKAT__LOG__FORMAT", "json");
    let node = program.listening().await;
    node.says("the database answers").await;
    for line in node.process.log().lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(
            line["message"].is_string() && line["level"].is_string(),
            "{line}"
        );
    }
}

#[tokio::test]
async fn where_everything_is_stands_in_the_log() {
    let node = Program::serve(&Folder::new()).listening().await;
    node.says("try http://").await;
    let log = node.process.log();
    let address = node.target.address();
    for words in [
        format!("listening on http://{address}"),
        "database: sqlite:tingkat.db".to_owned(),
        "redis: off".to_owned(),
    ] {
        assert!(log.contains(&words), "{words}:\n{log}");
    }
}
