//! One promise on several nodes: it holds where it was seen to hold on each of them.

use futures::future::join_all;

use super::check::Found;
use super::end::End;
use super::node::Node;
use super::scene::Scene;

/// Looks at every node under judgement, at the same time.
pub(super) async fn on_every_node(scene: &Scene, look: impl AsyncFn(&Node) -> Found) -> Found {
    scene.first()?;
    let nodes: Vec<&Node> = scene.nodes.iter().collect();
    on(&nodes, look).await
}

/// The same, of these nodes.
pub(super) async fn on(nodes: &[&Node], look: impl AsyncFn(&Node) -> Found) -> Found {
    let looks = nodes.iter().map(|node| look(node));
    let found = join_all(looks).await;
    together(nodes.iter().map(|node| node.name()).zip(found))
}

/// The worst of them; what is wrong with a node is told with its name.
fn together<'a>(found: impl Iterator<Item = (&'a str, Found)>) -> Found {
    let (mut seen, mut broken) = (Vec::new(), Vec::new());
    let (mut unseen, mut moot) = (Vec::new(), Vec::new());
    for (name, found) in found {
        match found {
            Ok(detail) => seen.push((name, detail)),
            Err(End::Failed(why)) => broken.push(named(name, why)),
            Err(End::Skipped(why)) => unseen.push(named(name, why)),
            Err(End::Moot(why)) => moot.push(named(name, why)),
        }
    }
    if !broken.is_empty() {
        return Err(End::Failed(broken.join("; ")));
    }
    if !unseen.is_empty() {
        return Err(End::Skipped(unseen.join("; ")));
    }
    let Some((_, first)) = seen.first() else {
        return Err(End::Moot(moot.join("; ")));
    };
    let mut detail = if seen.iter().all(|(_, detail)| detail == first) {
        first.clone()
    } else {
        let each = seen
            .iter()
            .map(|(name, detail)| format!("{name}: {detail}"));
        each.collect::<Vec<_>>().join("; ")
    };
    if !moot.is_empty() {
        detail = format!("{detail}; left out: {}", moot.join("; "));
    }
    Ok(detail)
}

fn named(name: &str, why: String) -> String {
    if why.contains(name) {
        why
    } else {
        format!("{name}: {why}")
    }
}

#[cfg(test)]
mod tests {
    use super::super::end::{failed, moot, skipped};
    use super::*;

    fn of(found: [Found; 3]) -> Found {
        together(["a-node", "b-node", "c-node"].into_iter().zip(found))
    }

    #[test]
    fn one_node_that_breaks_a_promise_breaks_it_whatever_the_others_do() {
        let found = of([Ok("five".to_owned()), failed("late"), skipped("no token")]);
        assert_eq!(found, failed("b-node: late"));
        let found = of([
            failed("late"),
            Ok("five".to_owned()),
            failed("c-node is late"),
        ]);
        assert_eq!(found, failed("a-node: late; c-node is late"));
    }

    #[test]
    fn a_node_that_could_not_be_looked_at_is_not_taken_for_passed() {
        let found = of([Ok("five".to_owned()), moot("off"), skipped("no token")]);
        assert_eq!(found, skipped("c-node: no token"));
    }

    #[test]
    fn what_all_nodes_show_is_told_once_and_a_node_without_the_promise_is_left_out() {
        let five = || Ok("five".to_owned());
        assert_eq!(of([five(), five(), five()]), five());
        let found = of([five(), Ok("six".to_owned()), moot("off")]);
        let told = "a-node: five; b-node: six; left out: c-node: off";
        assert_eq!(found, Ok(told.to_owned()));
        let found = of([moot("off"), moot("off"), moot("off")]);
        assert_eq!(found, moot("a-node: off; b-node: off; c-node: off"));
    }
}
