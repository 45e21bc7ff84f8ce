//! `Accept-Encoding`: whether a client wants an answer packed by gzip (RFC 9110, 12.5.3).

use axum::http::{HeaderMap, HeaderValue, header};

pub(crate) const GZIP: HeaderValue = HeaderValue::from_static("gzip");

/// How an answer may be encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// As it is.
    Identity,
    /// By gzip where that is worth it, else as it is.
    Gzip,
    /// By gzip, whether it is worth it or not.
    GzipOnly,
}

impl Encoding {
    /// What the headers of a request ask for. One that lets no encoding pass gets the bytes as they
    /// are: it can do more with them than with an error.
    pub(crate) fn of(request: &HeaderMap) -> Self {
        let (mut gzip, mut identity, mut others) = (None, None, None);
        let values = request.get_all(header::ACCEPT_ENCODING).iter();
        let lists = values.filter_map(|value| value.to_str().ok());
        for element in lists.flat_map(|list| list.split(',')) {
            let (name, parameters) = element.split_once(';').unwrap_or((element, ""));
            let name = name.trim();
            let is = |known: &str| name.eq_ignore_ascii_case(known);
            let weight = if is("gzip") || is("x-gzip") {
                &mut gzip
            } else if is("identity") {
                &mut identity
            } else if is("*") {
                &mut others
            } else {
                continue;
            };
            *weight = Some(thousandths(parameters));
        }
        let packed = gzip.or(others).unwrap_or(0);
        match identity.or(others) {
            _ if packed == 0 => Self::Identity,
            Some(0) => Self::GzipOnly,
            _ if identity.is_some_and(|plain| plain > packed) => Self::Identity,
            _ => Self::Gzip,
        }
    }
}

/// The weight in `q=0.5`, in thousandths; what can not be read wants nothing.
fn thousandths(parameters: &str) -> u16 {
    let parameters = parameters.trim();
    if parameters.is_empty() {
        return 1000;
    }
    let weight = parameters
        .split_once('=')
        .filter(|(name, _)| name.trim().eq_ignore_ascii_case("q"))
        .and_then(|(_, weight)| {
            let (whole, part) = weight.trim().split_once('.').unwrap_or((weight.trim(), ""));
            let is_number = part.len() <= 3 && part.bytes().all(|byte| byte.is_ascii_digit());
            let part: u16 = format!("{part:0<3}").parse().ok().filter(|_| is_number)?;
            match (whole, part) {
                ("0", part) => Some(part),
                ("1", 0) => Some(1000),
                _ => None,
            }
        });
    weight.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[&str]) -> Encoding {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(
                header::ACCEPT_ENCODING,
                HeaderValue::from_str(value).unwrap(),
            );
        }
        Encoding::of(&headers)
    }

    #[test]
    fn gzip_is_for_those_who_take_it() {
        for values in [
            &["gzip"][..],
            &["br, GZIP ;q=0.001"],
            &["x-gzip"],
            &["br", "zstd;q=1.0,gzip;q=0.8"],
            &["*"],
            &["*;q=0.1"],
            &["gzip, identity"],
            &["gzip;q=0.5, identity;q=0.5"],
            &["*;q=0.2, br"],
        ] {
            assert_eq!(of(values), Encoding::Gzip, "{values:?}");
        }
    }

    #[test]
    fn others_get_the_bytes_as_they_are() {
        for values in [
            &[][..],
            &[""],
            &["br, deflate"],
            &["gzip;q=0"],
            &["gzip;q=0.000, *"],
            &["gzip;q=0.5, identity"],
            &["gzip;q=0.5, identity;q=0.501"],
            &["identity;q=0"],
            &["*;q=0"],
            &["gzip;q=2"],
            &["gzip;q=-1"],
            &["gzip;q=0.0001"],
            &["gzip;q=1.5"],
            &["gzip;level=9"],
            &["gzipped"],
        ] {
            assert_eq!(of(values), Encoding::Identity, "{values:?}");
        }
    }

    #[test]
    fn some_take_nothing_else() {
        for values in [
            &["gzip, identity;q=0"][..],
            &["identity;q=0, *"],
            &["gzip;q=0.1, *;q=0"],
        ] {
            assert_eq!(of(values), Encoding::GzipOnly, "{values:?}");
        }
    }
}
