//! The list of names, and which fields go by them.

use std::collections::HashSet;

/// What stores in Malaysia call what nobody else should see.
pub const USUAL: &[&str] = &[
    "nric",
    "ic",
    "ic_no",
    "ic_number",
    "no_ic",
    "no_kp",
    "mykad",
    "kad_pengenalan",
    "identity_card",
    "identity_card_no",
    "identity_card_number",
    "passport",
    "passport_no",
    "passport_number",
    "no_pasport",
    "phone",
    "phone_no",
    "phone_number",
    "mobile",
    "mobile_no",
    "mobile_number",
    "telephone",
    "telephone_no",
    "telephone_number",
    "telefon",
    "no_telefon",
    "no_tel",
    "tel",
    "tel_no",
    "handphone",
    "hp_no",
    "email",
    "email_address",
    "emel",
    "card",
    "card_no",
    "card_number",
    "card_holder",
    "card_expiry",
    "kad_kredit",
    "cvv",
    "cvc",
    "bank_account",
    "bank_account_no",
    "bank_account_number",
    "account_no",
    "account_number",
    "no_akaun",
    "iban",
];

/// Names of fields that are private.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// In small letters, without what stands between words.
    known: HashSet<String>,
    /// Bytes of the longest of them.
    longest: usize,
}

/// A text that names no field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a field's name has letters")]
pub struct NameError;

impl Names {
    /// These names, in any spelling.
    ///
    /// # Errors
    /// When one of them has no letters, and so would be everything or nothing.
    pub fn new<T: AsRef<str>>(names: impl IntoIterator<Item = T>) -> Result<Self, NameError> {
        let mut known = HashSet::new();
        for name in names {
            let name = words(name.as_ref()).concat();
            if !name.chars().any(char::is_alphabetic) {
                return Err(NameError);
            }
            known.insert(name);
        }
        let longest = known.iter().map(String::len).max().unwrap_or_default();
        Ok(Self { known, longest })
    }

    /// What stores in Malaysia need: [`USUAL`].
    pub fn usual() -> Self {
        Self::new(USUAL).unwrap_or_default()
    }

    /// Whether no field is private.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// A number that tells lists apart.
    pub(crate) fn fingerprint(&self) -> u32 {
        let mut names: Vec<&str> = self.known.iter().map(String::as_str).collect();
        names.sort_unstable();
        let hash = xxhash_rust::xxh3::xxh3_64(names.join("\0").as_bytes());
        u32::try_from(hash >> 32).unwrap_or_default()
    }

    /// Whether a field is private.
    pub fn has(&self, field: &str) -> bool {
        self.found(field).is_some()
    }

    /// The name by which a field is private: its last words are that name. The last word says what
    /// a field is: a `customer_email` is an e-mail address, an `email_count` is a count.
    pub fn found(&self, field: &str) -> Option<&str> {
        let mut words = words(field);
        if words.len() > 1 {
            let is_number = |word: &String| word.bytes().all(|byte| byte.is_ascii_digit());
            while words.pop_if(|word| is_number(word)).is_some() {}
        }
        let mut tail = String::new();
        while let Some(word) = words.pop() {
            tail.insert_str(0, &word);
            if tail.len() > self.longest + "es".len() {
                return None;
            }
            let one_of_many = ["s", "es"].map(|ending| tail.strip_suffix(ending));
            let mut forms = [Some(tail.as_str())].into_iter().chain(one_of_many);
            if let Some(known) = forms.find_map(|form| self.known.get(form?)) {
                return Some(known);
            }
        }
        None
    }
}

/// The words of a name in small letters: `customerICNo2` is customer, ic, no, 2.
fn words(name: &str) -> Vec<String> {
    let letters: Vec<char> = name.chars().collect();
    let mut words = Vec::new();
    let mut word = String::new();
    let mut before: Option<char> = None;
    for (at, letter) in letters.iter().copied().enumerate() {
        if !letter.is_alphanumeric() {
            before = None;
            words.extend(Some(std::mem::take(&mut word)).filter(|word| !word.is_empty()));
            continue;
        }
        let is_next_small = letters.get(at + 1).is_some_and(|next| next.is_lowercase());
        let begins = before.is_some_and(|before| {
            let is_hump = letter.is_uppercase() && (!before.is_uppercase() || is_next_small);
            is_hump || before.is_numeric() != letter.is_numeric()
        });
        if begins {
            words.extend(Some(std::mem::take(&mut word)).filter(|word| !word.is_empty()));
        }
        word.extend(letter.to_lowercase());
        before = Some(letter);
    }
    words.extend(Some(word).filter(|word| !word.is_empty()));
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_private_by_its_last_words_in_any_spelling() {
        let names = Names::usual();
        for field in [
            "email",
            "Email",
            "EMAIL",
            "e-mail",
            "eMail",
            "customer_email",
            "customerEmail",
            "CUSTOMER_EMAIL",
            "customer.email",
            "emails",
            "email2",
            "email_2",
            "phone1",
            "email_address",
            "emailAddresses",
            "icNumber",
            "ICNumber",
            "customerICNo",
            "NRIC",
            "nric_no_ic",
            "my_kad",
            "passportNo",
            "bank account",
            "BankAccount",
            "bankaccount",
            "credit-card",
            "creditCardNumber",
            "no_telefon",
        ] {
            assert!(names.has(field), "{field}");
        }
    }

    #[test]
    fn a_word_that_is_part_of_another_or_says_something_about_one_is_not_private() {
        let names = Names::usual();
        for field in [
            "",
            "_",
            "7",
            "postcode",
            "card_count",
            "cardCount",
            "email_verified",
            "phone_case",
            "discard",
            "postcard",
            "cardigan",
            "headphone",
            "microphones",
            "topic",
            "price",
            "public",
            "hotel",
            "account",
            "name",
            "description",
            "sku",
        ] {
            assert!(!names.has(field), "{field}");
        }
    }

    #[test]
    fn a_list_has_names_and_may_be_empty() {
        assert_eq!(Names::new(["email", "--"]), Err(NameError));
        assert_eq!(Names::new(["12"]), Err(NameError));
        let none = Names::new([""; 0]).unwrap();
        assert!(none.is_empty() && !none.has("email"));
        let own = Names::new(["Loyalty-Number"]).unwrap();
        assert_eq!(own.found("customerLoyaltyNumber"), Some("loyaltynumber"));
        for name in USUAL {
            assert!(Names::usual().has(name), "{name}");
        }
    }
}
