//! What is sent to a server: one command, with the text of its script at hand.

use redis::aio::MultiplexedConnection;
use redis::{Arg, Cmd, ErrorKind, Pipeline, RedisError, RedisResult, ServerErrorKind, Value};

/// One command.
pub(crate) struct Order {
    command: Cmd,
    script: Option<&'static str>,
}

impl Order {
    pub(crate) const fn new(command: Cmd) -> Self {
        Self {
            command,
            script: None,
        }
    }

    /// EVALSHA, and the script that it names.
    pub(crate) const fn script(command: Cmd, script: &'static str) -> Self {
        Self {
            command,
            script: Some(script),
        }
    }

    pub(crate) const fn is_script(&self) -> bool {
        self.script.is_some()
    }

    /// What to send where the server answered that it does not know the script.
    pub(crate) fn with_text(&self, answer: &RedisResult<Value>) -> Option<Self> {
        let is_missing = matches!(answer, Err(error) if is_missing(error));
        let script = self.script.filter(|_| is_missing)?;
        let mut command = Cmd::new();
        command.arg("EVAL").arg(script);
        for argument in self.command.args_iter().skip(2) {
            if let Arg::Simple(bytes) = argument {
                command.arg(bytes);
            }
        }
        Some(Self::new(command))
    }

    /// Sends it once. A server that was asked to answer for a slot that is moving to it does so for
    /// the next command alone, and others use the same connection, so both go as one.
    pub(crate) async fn send(
        &self,
        connection: &mut MultiplexedConnection,
        is_asking: bool,
    ) -> RedisResult<Value> {
        if !is_asking {
            let answer = connection.send_packed_command(&self.command).await?;
            return answer.extract_error();
        }
        Box::pin(self.send_asking(connection)).await
    }

    async fn send_asking(&self, connection: &mut MultiplexedConnection) -> RedisResult<Value> {
        let mut both = Pipeline::with_capacity(2);
        both.cmd("ASKING").add_command(self.command.clone());
        let mut answers = connection.send_packed_commands(&both, 0, 2).await?;
        answers
            .pop()
            .ok_or_else(|| RedisError::from((ErrorKind::Client, "an answer is missing")))?
            .extract_error()
    }
}

fn is_missing(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::NoScript)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_that_is_not_known_is_sent_with_its_text_and_the_same_arguments() {
        let mut command = Cmd::new();
        command
            .arg("EVALSHA")
            .arg("hash")
            .arg(1)
            .arg("key")
            .arg(b"\xff");
        let order = Order::script(command, "return 0");
        let error = RedisError::from((ErrorKind::Server(ServerErrorKind::NoScript), ""));
        let again = order.with_text(&Err(error)).unwrap();
        let mut expected = Cmd::new();
        expected
            .arg("EVAL")
            .arg("return 0")
            .arg(1)
            .arg("key")
            .arg(b"\xff");
        let packed = again.command.get_packed_command();
        assert_eq!(packed, expected.get_packed_command());
        assert!(order.with_text(&Ok(Value::Nil)).is_none());
        assert!(
            Order::new(Cmd::get("k"))
                .with_text(&Ok(Value::Nil))
                .is_none()
        );
    }
}
