//! Which keys a request in an access log asked for.

use percent_encoding::percent_decode_str;
use tingkat::entity::Entity as _;
use tingkat::key::Key as _;
use tingkat_shop::category::CategoryTree;
use tingkat_shop::postcode::{Postcode, PostcodeIndex};
use tingkat_shop::product::listing::{ListingKey, Popular, Sort, Sorted};
use tingkat_shop::product::{Product, SkuOwner, SlugOwner};
use tingkat_shop::state::StateList;

/// The path of ours in a line, whatever is around it.
pub(super) fn path_in(line: &str) -> Option<&str> {
    let begin = line.find("/v1/")?;
    let rest = line.get(begin..)?;
    let end = rest.find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '\\'));
    rest.get(..end.unwrap_or(rest.len()))
}

/// The entities and keys that a look-up asks for.
pub(super) fn asked_for(path: &str) -> Vec<(String, String)> {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let parts: Vec<&str> = path.trim_end_matches('/').split('/').skip(2).collect();
    // As the service reads it: values first, and what is in them then.
    let parameter = |name: &str| {
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        pairs.find_map(|(known, value)| (known == name).then(|| value.into_owned()))
    };
    let named = |entity: &str, key: &str| (entity.to_owned(), key.to_owned());
    let one = |entity: &str, key: &str| vec![named(entity, key)];
    let many = |entity: &str, keys: String| {
        let keys = keys.split(',').filter(|key| !key.is_empty());
        keys.map(|key| named(entity, key)).collect()
    };
    let tree = || named(CategoryTree::NAME, "all");
    match parts[..] {
        ["products", id] => one(Product::NAME, &decoded(id)),
        ["products"] => {
            let sku = parameter("sku").map(|sku| one(SkuOwner::NAME, &sku));
            let slug = parameter("slug").map(|slug| one(SlugOwner::NAME, &slug));
            let ids = parameter("ids").map(|ids| many(Product::NAME, ids));
            let asked = sku.or(slug).or(ids);
            asked.unwrap_or_else(|| page(None, parameter).into_iter().collect())
        }
        ["postcodes", code] => one(Postcode::NAME, &decoded(code)),
        ["postcodes"] => one(PostcodeIndex::NAME, "all"),
        ["states"] => one(StateList::NAME, "all"),
        ["categories", id, "products"] => {
            let page = page(Some(&decoded(id)), parameter);
            [tree()].into_iter().chain(page).collect()
        }
        ["categories", ..] => vec![tree()],
        ["x", entity, key] => one(&decoded(entity), &decoded(key)),
        ["x", entity] => match parameter("keys") {
            Some(keys) => many(&decoded(entity), keys),
            None => Vec::new(),
        },
        _ => Vec::new(),
    }
}

/// The page of a listing that these parameters ask for, if they ask for one.
fn page(
    category: Option<&str>,
    parameter: impl Fn(&str) -> Option<String>,
) -> Option<(String, String)> {
    let mut filter = String::new();
    let flags = ["featured", "promoted"].map(|name| (name, parameter(name)));
    for (name, value) in [("category", category.map(str::to_owned))]
        .into_iter()
        .chain(flags)
    {
        if let Some(value) = value {
            filter.extend([name, "=", &value, "&"]);
        }
    }
    let sort = parameter("sort").unwrap_or_else(|| Sort::default().name().to_owned());
    let rest = match parameter("cursor") {
        Some(cursor) => format!("after={cursor}"),
        None => format!("sort={sort}"),
    };
    // What is no key is no page that the service has.
    let key = ListingKey::parse(&format!("{filter}{rest}")).ok()?;
    let entity = match key.sort() {
        Sort::Popularity => Popular::NAME,
        Sort::Newest | Sort::Price | Sort::PriceDescending | Sort::Name => Sorted::NAME,
    };
    Some((entity.to_owned(), key.text()))
}

/// A part of a path.
fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The service decodes a value before it looks for what is in it.
    #[test]
    fn a_request_asks_for_what_the_service_takes_it_for() {
        let asked = |path: &str| {
            let pairs = asked_for(path).into_iter();
            let pairs: Vec<String> = pairs
                .map(|(entity, key)| format!("{entity} {key}"))
                .collect();
            pairs.join(", ")
        };
        for (path, expected) in [
            ("/v1/products?ids=8%2C9", "product 8, product 9"),
            ("/v1/products?sku=85+123A", "product.sku 85 123A"),
            ("/v1/products?sku=a%2Bb", "product.sku a+b"),
            ("/v1/x/rate?keys=a%2Cb+c", "rate a, rate b c"),
            ("/v1/products/a%2Bb+c", "product a+b+c"),
            ("/v1/products", "product.list sort=newest"),
            (
                "/v1/products?featured=true&limit=20&sort=price",
                "product.list featured=true&sort=price",
            ),
            (
                "/v1/products?sort=popularity&tier=member",
                "product.popular sort=popularity",
            ),
            (
                "/v1/products?cursor=price.250.0.85.",
                "product.list after=price.250.0.85.",
            ),
            ("/v1/products?sort=best", ""),
            (
                "/v1/categories/7/products?promoted=true",
                "categories all, product.list category=7&promoted=true&sort=newest",
            ),
            ("/v1/postcodes?state=SGR", "postcodes all"),
        ] {
            assert_eq!(asked(path), expected, "{path}");
        }
    }
}
