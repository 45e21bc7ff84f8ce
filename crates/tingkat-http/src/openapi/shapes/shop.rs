//! What shoppers see.

use serde::Deserialize;
use utoipa::ToSchema;

super::adder! {
    Money Status Product Promotion CategoryName Image Variant ProductPage ProductBatch ProductIds
    ProductPatch CategoryTree CategoryBranch Category CategoryCount CategoryStep Postcode
    UnknownPostcode Location Zone PostcodePage State StateList Document DocumentBatch
    KeyList
}

/// An amount in minor units, such as sen.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Money {
    amount: i64,
    /// ISO 4217.
    #[schema(pattern = "^[A-Z]{3}$")]
    currency: String,
}

/// Whether a product is on sale: only `active` is.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
enum Status {
    Draft,
    Active,
    Inactive,
    Discontinued,
}

/// What is sold.
#[derive(ToSchema)]
struct Product {
    #[schema(pattern = "^[A-Za-z0-9_-]{1,64}$")]
    id: String,
    #[schema(min_length = 1, max_length = 200)]
    sku: String,
    /// What its page is called.
    #[schema(min_length = 1, max_length = 500)]
    slug: String,
    name: String,
    /// May be empty.
    description: String,
    status: Status,
    /// What a guest pays without a promotion.
    regular_price: Money,
    /// What a member pays without a promotion.
    member_price: Money,
    /// What is paid during the promotion, if it is lower.
    #[schema(required = true)]
    promotional_price: Option<Money>,
    #[schema(required = true)]
    promotion: Option<Promotion>,
    /// What the tier of the request pays at this moment.
    price: Money,
    stock_quantity: i64,
    /// Whether there is any left, of the product or of one of its variants.
    in_stock: bool,
    /// Whether there are few left, or none.
    low_stock: bool,
    /// Whether it stands on the front page.
    featured: bool,
    /// Ordered by name.
    categories: Vec<CategoryName>,
    #[schema(max_items = 5)]
    images: Vec<Image>,
    /// Ordered by sku.
    variants: Vec<Variant>,
    /// Counts the writes to it.
    version: i64,
    #[schema(format = DateTime)]
    updated_at: String,
}

/// When a promotion runs.
#[derive(ToSchema)]
struct Promotion {
    /// Null: it has always been running.
    #[schema(required = true, format = DateTime)]
    starts_at: Option<String>,
    /// The first instant after it. Null: it does not end.
    #[schema(required = true, format = DateTime)]
    ends_at: Option<String>,
}

/// A category as the page of a product shows it.
#[derive(ToSchema)]
struct CategoryName {
    id: String,
    slug: String,
    name: String,
}

/// A picture.
#[derive(ToSchema)]
struct Image {
    url: String,
    /// What it shows.
    alt: String,
}

/// A version of a product with a price and a stock of its own, such as a size.
#[derive(ToSchema)]
struct Variant {
    sku: String,
    /// What varies: `size`.
    name: String,
    /// How: `XL`.
    value: String,
    regular_price: Money,
    member_price: Money,
    stock_quantity: i64,
}

/// A page of a listing.
#[derive(ToSchema)]
struct ProductPage {
    #[schema(max_items = 100)]
    items: Vec<Product>,
    /// The `cursor` of the next page; null on the last one.
    #[schema(required = true)]
    next: Option<String>,
}

/// Many products, in the order of the ids.
#[derive(ToSchema)]
struct ProductBatch {
    #[schema(max_items = 200)]
    items: Vec<Product>,
    /// The ids of which it is known that there is no such product.
    #[schema(max_items = 200)]
    missing: Vec<String>,
}

/// Many ids.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ProductIds {
    /// Each has 1 to 64 letters, digits, `-` or `_`.
    #[schema(min_items = 1, max_items = 200)]
    ids: Vec<String>,
}

/// Many keys.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct KeyList {
    #[schema(min_items = 1, max_items = 200)]
    keys: Vec<String>,
}

/// What is to be changed; at least one thing, and never null. `stock` and `stock_delta` exclude each
/// other.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ProductPatch {
    /// So many are left.
    #[schema(required = false, minimum = 0)]
    stock: i64,
    /// So many more, or fewer.
    #[schema(required = false)]
    stock_delta: i64,
    #[schema(required = false)]
    regular_price: Money,
    /// Not above the regular one.
    #[schema(required = false)]
    member_price: Money,
    /// Write only if this is still the product's version.
    #[schema(required = false)]
    version: i64,
}

/// All categories that are shown.
#[derive(ToSchema)]
struct CategoryTree {
    items: Vec<CategoryBranch>,
    /// Always null: the tree is one page.
    #[schema(required = true)]
    next: Option<String>,
}

/// A category with what is under it.
#[derive(ToSchema)]
struct CategoryBranch {
    id: String,
    /// Null at the top.
    #[schema(required = true)]
    parent_id: Option<String>,
    slug: String,
    name: String,
    /// How many products are on sale in it and what is under it.
    products: u64,
    #[schema(no_recursion)]
    children: Vec<CategoryBranch>,
}

/// A category by itself.
#[derive(ToSchema)]
struct Category {
    id: String,
    /// Null at the top.
    #[schema(required = true)]
    parent_id: Option<String>,
    slug: String,
    name: String,
    /// How many products are on sale in it and what is under it.
    products: u64,
    /// From the top to the category itself.
    breadcrumb: Vec<CategoryStep>,
    /// What is right under it.
    children: Vec<CategoryCount>,
}

/// A category, and how many products are on sale in it and what is under it.
#[derive(ToSchema)]
struct CategoryCount {
    id: String,
    /// Null at the top.
    #[schema(required = true)]
    parent_id: Option<String>,
    slug: String,
    name: String,
    products: u64,
}

/// A step on the way to a category.
#[derive(ToSchema)]
struct CategoryStep {
    id: String,
    slug: String,
    name: String,
}

/// A postcode and where it is.
#[derive(ToSchema)]
struct Postcode {
    /// Always true.
    valid: bool,
    #[schema(pattern = "^[0-9]{5}$")]
    formatted: String,
    location: Location,
}

/// A postcode that no place has: the shape of a known one, with what only an unknown one has.
#[derive(ToSchema)]
struct UnknownPostcode {
    /// Always false.
    valid: bool,
    #[schema(pattern = "^[0-9]{5}$")]
    formatted: String,
    /// Always null.
    #[schema(required = true)]
    location: Option<Location>,
    error: String,
    /// Codes that exist and may have been meant.
    suggestions: Vec<String>,
}

/// Where a postcode is.
#[derive(ToSchema)]
struct Location {
    state_code: String,
    state_name: String,
    /// The primary city.
    city: String,
    /// All cities that share the code, the primary one first.
    cities: Vec<String>,
    zone: Zone,
}

/// Peninsular Malaysia is `west`; Sabah, Sarawak and Labuan are `east`.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
enum Zone {
    West,
    East,
}

/// A page of postcodes, ordered by code.
#[derive(ToSchema)]
struct PostcodePage {
    #[schema(max_items = 100)]
    items: Vec<Postcode>,
    /// The `cursor` of the next page; null on the last one.
    #[schema(required = true)]
    next: Option<String>,
}

/// A state or federal territory.
#[derive(ToSchema)]
struct State {
    code: String,
    name: String,
    zone: Zone,
}

/// All states, ordered by code.
#[derive(ToSchema)]
struct StateList {
    items: Vec<State>,
    /// Always null: they are one page.
    #[schema(required = true)]
    next: Option<String>,
}

/// What an entity of the operator's own has under a key.
#[derive(ToSchema)]
struct Document {
    key: String,
    /// As the database gave it.
    #[schema(value_type = Value)]
    value: String,
}

/// Many of them, in the order of the keys.
#[derive(ToSchema)]
struct DocumentBatch {
    #[schema(max_items = 200)]
    items: Vec<Document>,
    /// The keys that nothing has.
    #[schema(max_items = 200)]
    missing: Vec<String>,
}
