//! What a write makes of a product, whichever database it is in.

use jiff::Timestamp;
use tingkat_shop::money::Currency;
use tingkat_shop::write::{ProductPatch, StockChange, WriteErrorKind};

use crate::columns::columns;

columns! {
    /// A product, as far as a write has to know it.
    #[derive(Clone, Copy)]
    pub(crate) struct Stored {
        currency: Currency,
        regular_price: i64,
        member_price: i64,
        stock_quantity: i64,
        version: i64,
        updated_at: Timestamp,
    }
}

columns! {
    /// What a write has made of it.
    pub(crate) struct Rewritten {
        version: i64,
        updated_at: Timestamp,
    }
}

/// What the product will be, or why not.
pub(crate) fn decide(was: Option<Stored>, patch: &ProductPatch) -> Result<Stored, WriteErrorKind> {
    let was = was.ok_or(WriteErrorKind::Unknown)?;
    if patch.version.is_some_and(|version| version != was.version) {
        let current = was.version;
        return Err(WriteErrorKind::Conflict { current });
    }
    let prices = [patch.regular_price, patch.member_price];
    let expected = was.currency;
    if prices
        .iter()
        .flatten()
        .any(|price| price.currency != expected)
    {
        return Err(WriteErrorKind::Currency { expected });
    }
    let stock = match patch.stock {
        None => was.stock_quantity,
        Some(StockChange::Set(quantity)) => quantity,
        Some(StockChange::Adjust(by)) => was
            .stock_quantity
            .checked_add(by)
            .filter(|stock| *stock >= 0)
            .ok_or(WriteErrorKind::StockOutOfRange {
                stock: was.stock_quantity,
            })?,
    };
    let now = Stored {
        regular_price: patch
            .regular_price
            .map_or(was.regular_price, |price| price.amount),
        member_price: patch
            .member_price
            .map_or(was.member_price, |price| price.amount),
        stock_quantity: stock,
        ..was
    };
    if now.member_price > now.regular_price {
        return Err(WriteErrorKind::MemberAboveRegular);
    }
    Ok(now)
}
