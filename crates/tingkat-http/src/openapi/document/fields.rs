//! Parameters and headers.

use utoipa::openapi::header::{Header, HeaderBuilder};
use utoipa::openapi::path::{ParameterBuilder, ParameterIn, ParameterStyle};
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Ref, Schema, SchemaType, Type};
use utoipa::openapi::{RefOr, Required};

use crate::openapi::header_field::{self, HeaderField};
use crate::openapi::parameter::{Kind, Parameter, Place};

pub(super) fn parameter(parameter: &Parameter) -> ParameterBuilder {
    let place = match parameter.place {
        Place::Path => ParameterIn::Path,
        Place::Query => ParameterIn::Query,
        Place::Header => ParameterIn::Header,
    };
    let required = if parameter.is_required() {
        Required::True
    } else {
        Required::False
    };
    let built = ParameterBuilder::new()
        .name(parameter.name)
        .parameter_in(place)
        .required(required)
        .description(Some(parameter.text))
        .schema(Some(kind(parameter.kind)));
    match parameter.kind {
        Kind::List { .. } => built.style(Some(ParameterStyle::Form)).explode(Some(false)),
        Kind::Text | Kind::Name { .. } | Kind::Whole { .. } | Kind::OneOf { .. } | Kind::Flag => {
            built
        }
    }
}

fn kind(kind: Kind) -> RefOr<Schema> {
    match kind {
        Kind::Text => text().into(),
        Kind::Name {
            most,
            pattern,
            characters: _,
        } => text()
            .min_length(Some(1))
            .max_length(Some(most))
            .pattern(Some(pattern))
            .into(),
        Kind::Whole { least, most, usual } => ObjectBuilder::new()
            .schema_type(Type::Integer)
            .minimum(Some(least))
            .maximum(Some(most))
            .default(Some(usual.into()))
            .into(),
        Kind::OneOf { names, usual } => text()
            .enum_values(Some(names.iter().copied()))
            .default(usual.map(Into::into))
            .into(),
        Kind::Flag => ObjectBuilder::new().schema_type(Type::Boolean).into(),
        Kind::List {
            most,
            pattern,
            characters: _,
        } => {
            let one = text().pattern(Some(pattern));
            let list = ArrayBuilder::new().items(one);
            list.min_items(Some(1)).max_items(Some(most)).into()
        }
    }
}

pub(super) fn header(field: &HeaderField) -> Header {
    let value = match field.kind {
        header_field::Kind::Text(pattern) => text().pattern(Some(pattern)),
        header_field::Kind::Seconds => ObjectBuilder::new()
            .schema_type(Type::Integer)
            .minimum(Some(0_usize)),
    };
    HeaderBuilder::new()
        .schema(Some(value))
        .description(Some(field.text))
        .build()
}

pub(super) fn header_ref(field: &HeaderField) -> Ref {
    Ref::new(format!("#/components/headers/{}", field.name))
}

/// A text.
pub(super) fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

/// Any JSON.
pub(super) fn anything() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(SchemaType::AnyValue)
}
