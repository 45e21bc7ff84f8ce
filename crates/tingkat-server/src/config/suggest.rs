//! What somebody may have meant.

/// Beyond this share of its letters a name is another one.
const ODD: usize = 3;

/// The nearest of these names, unless all are far.
pub(crate) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // The distance takes the product of both lengths.
    if name.len() > 100 {
        return None;
    }
    let lower = name.to_lowercase();
    let apart = |known: &str| strsim::damerau_levenshtein(&lower, &known.to_lowercase());
    let (distance, nearest) = known
        .map(|it| (apart(it), it))
        .min_by_key(|(far, _)| *far)?;
    (distance <= (nearest.chars().count() / ODD).max(1)).then_some(nearest)
}
