//! What a type says about its own shape: the names of its fields, at any depth, before there is a
//! value of it.
//!
//! A type is asked to read itself from [`Tracer`], which goes one way from the outermost struct
//! inwards and stops where it ends: every way is a question of its own.

mod choices;
mod sample;
mod tracer;

use std::collections::HashSet;

use serde::de::DeserializeOwned;

use super::{Names, PrivateField};
use choices::Choices;
use tracer::{Halt, Place, Tracer};

/// Questions that are asked of a type at most.
const MOST: usize = 4_096;

/// One turn on the way into a type. Options, lists and new types are passed through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Field(&'static str),
    Variant(&'static str),
    Item(usize),
}

/// A way into a type, and the structs that it goes through.
#[derive(Clone, Debug, Default)]
struct Way {
    steps: Vec<Step>,
    through: Vec<Place>,
}

impl Way {
    fn and(&self, step: Step, place: &Place) -> Self {
        let mut way = self.clone();
        way.steps.push(step);
        way.through.push(place.clone());
        way
    }
}

/// All names in a type.
pub(super) fn fields<V: DeserializeOwned>() -> HashSet<&'static str> {
    let mut names = HashSet::new();
    visit::<V>(&mut |way| {
        names.extend(name(way));
        true
    });
    names
}

/// The private fields of a type, each once.
pub(super) fn private_fields<V: DeserializeOwned>(names: &Names) -> Vec<PrivateField> {
    let mut found: Vec<(Vec<Step>, PrivateField)> = Vec::new();
    if names.is_empty() {
        return Vec::new();
    }
    visit::<V>(&mut |way| {
        let Some(known) = name(way).and_then(|name| names.found(name)) else {
            return true;
        };
        let field = PrivateField {
            path: path(way),
            name: known.to_owned(),
            is_required: false,
        };
        found.push((way.to_vec(), field));
        false
    });
    found
        .into_iter()
        .map(|(way, field)| PrivateField {
            is_required: sample::is_required::<V>(&way, names),
            ..field
        })
        .collect()
}

fn name(way: &[Step]) -> Option<&'static str> {
    match way.last()? {
        Step::Field(name) | Step::Variant(name) => Some(name),
        Step::Item(_) => None,
    }
}

fn path(way: &[Step]) -> String {
    let steps = way.iter().map(|step| match step {
        Step::Field(name) | Step::Variant(name) => (*name).to_owned(),
        Step::Item(at) => at.to_string(),
    });
    steps.collect::<Vec<_>>().join(".")
}

/// Goes every way into a type; `enter` says whether to go on from a field or variant.
fn visit<V: DeserializeOwned>(enter: &mut dyn FnMut(&[Step]) -> bool) {
    let mut ways = vec![Way::default()];
    let mut asked = 0;
    while let Some(way) = ways.pop() {
        asked += 1;
        if asked > MOST {
            return;
        }
        let Some(place) = end_of::<V>(&way.steps) else {
            continue;
        };
        // A type within itself has no other names.
        if way.through.contains(&place) {
            continue;
        }
        let mut inner: Vec<Way> = place.steps().map(|step| way.and(step, &place)).collect();
        inner.retain(|way| match way.steps.last() {
            // Whether a variant has a value is known only behind it.
            Some(Step::Variant(_)) => {
                end_of::<V>(&way.steps) != Some(Place::Unit) && enter(&way.steps)
            }
            Some(Step::Field(_)) => enter(&way.steps),
            Some(Step::Item(_)) | None => true,
        });
        inner.reverse();
        ways.extend(inner);
    }
}

/// What is at the end of a way.
fn end_of<V: DeserializeOwned>(way: &[Step]) -> Option<Place> {
    let (mut found, mut choices) = (None, Choices::default());
    loop {
        // It has no values, so this ends with an error, where the way does or before.
        let end: Result<V, Halt> = V::deserialize(Tracer::new(way, &mut found, &mut choices));
        if end.is_ok() || found.is_some() || !choices.advance() {
            return found;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashMap};

    use serde::Deserialize;
    use serde_json::Value;

    use super::*;

    /// Paths of private fields; with a `!` what can not be stripped.
    fn private<V: DeserializeOwned>() -> Vec<String> {
        let fields = private_fields::<V>(&Names::usual()).into_iter();
        fields
            .map(|it| it.path + if it.is_required { "!" } else { "" })
            .collect()
    }

    /// As keys of the store are: not every text is one.
    #[derive(Deserialize)]
    #[serde(try_from = "String")]
    struct Id(#[expect(dead_code, reason = "only its shape is looked at")] String);

    impl TryFrom<String> for Id {
        type Error = String;

        fn try_from(text: String) -> Result<Self, String> {
            let is_right = text.len() == 5 && text.bytes().all(|byte| byte.is_ascii_digit());
            is_right.then_some(Self(text)).ok_or_else(String::new)
        }
    }

    macro_rules! shapes {
        ($($item:item)*) => {
            $(#[derive(Deserialize)]
            #[expect(dead_code, reason = "only its shape is looked at")]
            $item)*
        };
    }

    shapes! {
        struct Order {
            id: Id,
            lines: Vec<Line>,
            customer: Option<Box<Customer>>,
            pair: (Id, Customer),
            contact: Contact,
            by_name: BTreeMap<String, Line>,
            count: u32,
        }
        struct Line { id: Id, gift: Option<Gift>, amount: f64 }
        struct Gift { at: Id, phone_number: String, card_count: u8 }
        #[serde(rename_all = "camelCase")]
        struct Customer {
            id: Id,
            home_email: Option<String>,
            #[serde(default)]
            passport_no: String,
            friend: Option<Box<Customer>>,
        }
        enum Contact { None, Email, Post(Id), Phone(String), Both { emel: String, id: Id } }
        struct Tree { children: Vec<Tree>, nric: Option<String> }
        struct Endless(Vec<Endless>);
        struct Loose {
            any: Value,
            map: HashMap<String, String>,
            #[serde(flatten)]
            more: BTreeMap<String, Value>,
        }
        struct Aliased { #[serde(alias = "email", default)] contact: String }
    }

    #[test]
    fn every_private_field_is_found_with_its_path_and_whether_it_can_be_left_out() {
        assert_eq!(
            private::<Order>(),
            [
                "lines.gift.phone_number!",
                "customer.homeEmail",
                "customer.passportNo",
                "pair.1.homeEmail",
                "pair.1.passportNo",
                "contact.Phone!",
                "contact.Both.emel!",
                "by_name.gift.phone_number!",
            ]
        );
        assert_eq!(private::<Aliased>(), ["email"]);
    }

    #[test]
    fn a_type_within_itself_comes_to_an_end() {
        assert_eq!(private::<Tree>(), ["nric"]);
        assert_eq!(private::<Vec<HashMap<u8, Tree>>>(), ["nric"]);
        assert_eq!(private::<Endless>(), [""; 0]);
        assert_eq!(private::<Loose>(), [""; 0]);
        assert_eq!(private::<String>(), [""; 0]);
    }

    #[test]
    fn all_names_are_known() {
        let names = fields::<Order>();
        for name in [
            "id",
            "lines",
            "gift",
            "card_count",
            "homeEmail",
            "emel",
            "Both",
        ] {
            assert!(names.contains(name), "{name}");
        }
    }
}
