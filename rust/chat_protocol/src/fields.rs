//! From the text of a frame to the fields of its `type`.
//!
//! Which types and fields there are says [`WireFrame`], and nothing else: its derived
//! `Deserialize` is asked for the keys that any type has. Of a repeated key the last one
//! counts, as in the JSON parsers of the clients' other servers; what no type knows is
//! passed over, whatever its depth or number.

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt;
use std::sync::LazyLock;

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, EnumAccess, Error as _, IgnoredAny,
    IntoDeserializer as _, MapAccess, VariantAccess, Visitor,
};
use serde_json::Value;
use smallvec::SmallVec;

use crate::client_frame::{FrameError, WireFrame, parse_integer, unknown_type};
use crate::ids::{Change, Seq};

/// The type of a frame that says none.
const DEFAULT_KIND: &str = "message";

/// All keys of all types.
static KEYS: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    let keys = RefCell::new(vec!["type"]);
    let mut variants = 1;
    let mut variant = 0;
    while variant < variants {
        // It always fails, having said what it was asked for.
        let _ = WireFrame::deserialize(Inquiry {
            variant,
            variants: &mut variants,
            keys: &keys,
        });
        variant += 1;
    }
    keys.into_inner()
});

/// Parses a frame.
pub(crate) fn parse(text: &str) -> Result<WireFrame, FrameError> {
    let fields: Fields = serde_json::from_str(text).map_err(FrameError::custom)?;
    WireFrame::deserialize(fields)
}

impl serde::de::Error for FrameError {
    fn custom<T: fmt::Display>(_message: T) -> Self {
        Self::Malformed
    }

    fn unknown_variant(variant: &str, _expected: &'static [&'static str]) -> Self {
        unknown_type(variant)
    }
}

/// The keys of a frame that some type has, each once, with their values.
#[derive(Default)]
struct Fields(SmallVec<[(&'static str, Value); 4]>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FieldsVisitor;

        impl<'de> Visitor<'de> for FieldsVisitor {
            type Value = Fields;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Fields::default();
                while let Some(Key(key)) = map.next_key()? {
                    let Some(known) = KEYS.iter().find(|known| **known == key) else {
                        map.next_value::<IgnoredAny>()?;
                        continue;
                    };
                    let value = map.next_value()?;
                    match fields.0.iter_mut().find(|(other, _)| other == known) {
                        Some((_, older)) => *older = value,
                        None => fields.0.push((known, value)),
                    }
                }
                Ok(fields)
            }
        }

        deserializer.deserialize_map(FieldsVisitor)
    }
}

/// A key, in the text itself unless it has escapes.
#[derive(serde::Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Deserializer<'de> for Fields {
    type Error = FrameError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FrameError> {
        visitor.visit_enum(self)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        option unit unit_struct newtype_struct seq tuple tuple_struct map struct enum
        identifier ignored_any
    }
}

impl<'de> EnumAccess<'de> for Fields {
    type Error = FrameError;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(
        mut self,
        seed: V,
    ) -> Result<(V::Value, Self), FrameError> {
        let place = self.0.iter().position(|(key, _)| *key == "type");
        let kind = match place.map(|place| self.0.swap_remove(place).1) {
            None => Cow::Borrowed(DEFAULT_KIND),
            Some(Value::String(kind)) => Cow::Owned(kind),
            Some(other) => return Err(unknown_type(&other.to_string())),
        };
        Ok((seed.deserialize(kind.into_deserializer())?, self))
    }
}

impl<'de> VariantAccess<'de> for Fields {
    type Error = FrameError;

    fn unit_variant(self) -> Result<(), FrameError> {
        Ok(())
    }

    fn struct_variant<V: Visitor<'de>>(
        mut self,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, FrameError> {
        self.0.retain(|(key, _)| names.contains(key));
        visitor.visit_map(self)
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, _: T) -> Result<T::Value, FrameError> {
        Err(FrameError::custom("a type of frames has named fields"))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, FrameError> {
        Err(FrameError::custom("a type of frames has named fields"))
    }
}

impl<'de> MapAccess<'de> for Fields {
    type Error = FrameError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, FrameError> {
        let Some((key, _)) = self.0.last() else {
            return Ok(None);
        };
        seed.deserialize(key.into_deserializer()).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, FrameError> {
        let (_, value) = self.0.pop().ok_or(FrameError::Malformed)?;
        seed.deserialize(value).map_err(FrameError::custom)
    }
}

/// Asks a derived `Deserialize` how many variants it has, and for the keys of one.
struct Inquiry<'a> {
    variant: u32,
    variants: &'a mut u32,
    keys: &'a RefCell<Vec<&'static str>>,
}

impl<'de> Deserializer<'de> for Inquiry<'_> {
    type Error = FrameError;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, FrameError> {
        Err(FrameError::custom("not an enum"))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, FrameError> {
        *self.variants = u32::try_from(variants.len()).unwrap_or(0);
        visitor.visit_enum(self)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        option unit unit_struct newtype_struct seq tuple tuple_struct map struct
        identifier ignored_any
    }
}

impl<'de> EnumAccess<'de> for Inquiry<'_> {
    type Error = FrameError;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Self), FrameError> {
        Ok((seed.deserialize(self.variant.into_deserializer())?, self))
    }
}

impl<'de> VariantAccess<'de> for Inquiry<'_> {
    type Error = FrameError;

    fn unit_variant(self) -> Result<(), FrameError> {
        Ok(())
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        names: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, FrameError> {
        let mut keys = self.keys.borrow_mut();
        for name in names {
            if !keys.contains(name) {
                keys.push(name);
            }
        }
        Err(FrameError::custom("answered"))
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, _: T) -> Result<T::Value, FrameError> {
        Err(FrameError::custom("a type of frames has named fields"))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, FrameError> {
        Err(FrameError::custom("a type of frames has named fields"))
    }
}

/// An integer; one with a fraction of zero, and a text that holds one, are taken too.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Integer(pub(crate) i64);

impl<'de> Deserialize<'de> for Integer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let integer = parse_integer(&value).map(Self);
        integer.ok_or_else(|| D::Error::custom("not an integer"))
    }
}

/// The place of a message in its room, or zero; in the forms of an integer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place(pub(crate) Seq);

impl<'de> Deserialize<'de> for Place {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let place = Seq::from_client(Integer::deserialize(deserializer)?.0).map(Self);
        place.ok_or_else(|| D::Error::custom("not a place"))
    }
}

/// The place of a change in its room, or zero; in the forms of an integer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ChangePlace(pub(crate) Change);

impl<'de> Deserialize<'de> for ChangePlace {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let place = Change::from_client(Integer::deserialize(deserializer)?.0).map(Self);
        place.ok_or_else(|| D::Error::custom("not a place"))
    }
}

/// A boolean; of another value the truth value that a dynamically typed server gives it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Truth(pub(crate) bool);

impl<'de> Deserialize<'de> for Truth {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(match Value::deserialize(deserializer)? {
            Value::Null => false,
            Value::Bool(truth) => truth,
            Value::Number(number) => number.as_f64() != Some(0.0),
            Value::String(text) => !text.is_empty(),
            Value::Array(items) => !items.is_empty(),
            Value::Object(entries) => !entries.is_empty(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_are_those_of_all_types() {
        for key in [
            "type",
            "content",
            "file_id",
            "client_id",
            "typing",
            "since_seq",
        ] {
            assert!(KEYS.contains(&key), "{key} in {:?}", *KEYS);
        }
    }
}
