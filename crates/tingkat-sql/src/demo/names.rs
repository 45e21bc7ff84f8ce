//! What is derived from a product's name: its slug and a readable sentence.

use std::collections::HashMap;

use super::retail::Listed;

/// Small letters and digits of a name, everything between them one hyphen.
pub(super) fn slug(name: &str) -> String {
    let mut slug = String::with_capacity(name.len());
    for character in name.chars() {
        if character.is_ascii_alphanumeric() {
            slug.push(character.to_ascii_lowercase());
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.truncate(slug.trim_end_matches('-').len());
    slug
}

/// The slugs of all products. Where several names give the same slug, each of these products has
/// its sku appended, so that none of them keeps the plain one and no page depends on the order.
pub(super) fn slugs(listed: &[Listed]) -> Vec<String> {
    let plain: Vec<String> = listed.iter().map(|product| slug(&product.name)).collect();
    let mut products: HashMap<&str, usize> = HashMap::with_capacity(plain.len());
    for slug in &plain {
        *products.entry(slug).or_default() += 1;
    }
    let unique = |(plain, product): (&String, &Listed)| {
        if products.get(plain.as_str()) == Some(&1) {
            plain.clone()
        } else {
            format!("{plain}-{}", slug(&product.sku))
        }
    };
    plain.iter().zip(listed).map(unique).collect()
}

/// The name as prose has it: small letters after a capital.
pub(super) fn prose(name: &str) -> String {
    let name = name
        .trim_end_matches(|character: char| character.is_ascii_punctuation() && character != '"');
    let mut characters = name.trim_end().chars();
    let first = characters.next().map(|first| first.to_ascii_uppercase());
    first
        .into_iter()
        .chain(characters.map(|character| character.to_ascii_lowercase()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_is_words_and_single_hyphens() {
        assert_eq!(
            slug("METAL SIGN,CUPCAKE SINGLE HOOK"),
            "metal-sign-cupcake-single-hook"
        );
        assert_eq!(
            slug("  LETTER \"H\" BLING, KEY RING!"),
            "letter-h-bling-key-ring"
        );
    }

    #[test]
    fn of_colliding_slugs_none_stays_plain() {
        let listed: Vec<Listed> = [("1A", "Red mug"), ("2", "Blue mug"), ("3", "RED MUG")]
            .into_iter()
            .map(|(sku, name)| Listed {
                sku: sku.into(),
                name: name.into(),
                price: 1,
            })
            .collect();
        assert_eq!(slugs(&listed), ["red-mug-1a", "blue-mug", "red-mug-3"]);
    }

    #[test]
    fn prose_has_one_capital() {
        assert_eq!(prose("RED RETROSPOT CUP,"), "Red retrospot cup");
    }
}
