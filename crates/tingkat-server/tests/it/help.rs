//! What the program says about itself.

use crate::program::{Folder, Program};

#[tokio::test]
async fn the_help_of_every_command_is_as_reviewed() {
    let mut pages = Vec::new();
    for command in [
        &[][..],
        &["serve"],
        &["schema"],
        &["schema", "install"],
        &["schema", "uninstall"],
        &["schema", "check"],
        &["schema", "compact"],
        &["healthcheck"],
        &["forget"],
        &["health"],
        &["inspect"],
        &["verify"],
        &["warm"],
        &["bench"],
        &["config"],
        &["config", "check"],
        &["config", "show"],
        &["config", "init"],
        &["config", "schema"],
        &["config", "explain"],
    ] {
        let arguments = [command, &["--help"]].concat();
        let ended = Program::new(&Folder::new(), &arguments).run().await;
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
        pages.push(format!(
            "$ tingkat {}\n{}",
            arguments.join(" "),
            ended.stdout
        ));
    }
    insta::assert_snapshot!(pages.join("\n"));
}
