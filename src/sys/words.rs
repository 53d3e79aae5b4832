//! Values that are text in a file, and those of which each is one word.

/// Writes and reads a type as its text.
macro_rules! serde_as_text {
    ($($name:ty),*) => {$(
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <String as serde::Deserialize>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

/// Makes an enum of values and the word of each, in one list; `ALL` has them in its order.
macro_rules! words {
    ($(#[$about:meta])* $vis:vis enum $name:ident {
        $($(#[$about_value:meta])* $value:ident = $word:literal,)+
    }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        $vis enum $name {
            $($(#[$about_value])* $value,)+
        }

        impl $name {
            $vis const ALL: [Self; [$(Self::$value),+].len()] = [$(Self::$value),+];

            $vis const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$value => $word,)+
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::sys::words::NotAWord;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let mut all = Self::ALL.into_iter();
                all.find(|value| value.as_str() == text).ok_or($crate::sys::words::NotAWord)
            }
        }

        $crate::sys::words::serde_as_text!($name);
    };
}

/// It may be a secret in the wrong place, so it is not shown.
#[derive(Debug, thiserror::Error)]
#[error("not one of the words that are known here")]
pub(crate) struct NotAWord;

pub(crate) use {serde_as_text, words};
