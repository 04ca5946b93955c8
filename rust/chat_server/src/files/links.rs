//! Where clients read files and thumbnails.

use chat_database::{FileDetails, FileRecord};
use chat_storage::{ObjectKey, ObjectUrl};

use super::library::FileLibrary;

/// The URLs that an answer or a frame shows of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileLinks {
    pub(crate) public_url: String,
    pub(crate) thumbnail_url: Option<String>,
}

impl FileLibrary {
    /// A row keeps the address of its upload. What is shown is built when it is read: a signed URL of limited life,
    /// or an address below `PUBLIC_BASE_URL`.
    pub(crate) async fn links(&self, file: &FileRecord) -> FileLinks {
        let Some(key) = self.key_of(file) else {
            return FileLinks {
                public_url: file.public_url.clone(),
                thumbnail_url: None,
            };
        };
        let thumbnail_url = if file.has_thumbnail {
            Some(self.link(&file.public_url, &key, &key.thumbnail()).await)
        } else {
            None
        };
        FileLinks {
            public_url: self.link(&file.public_url, &key, &key).await,
            thumbnail_url,
        }
    }

    /// For many, in their order.
    pub(crate) async fn links_of(
        &self,
        files: impl Iterator<Item = &FileDetails>,
    ) -> Vec<FileLinks> {
        let mut links = Vec::new();
        for details in files {
            links.push(self.links(&details.file).await);
        }
        links
    }

    /// The URL of `wanted`, which lies beside `key`, whose address this is.
    async fn link(&self, address: &str, key: &ObjectKey, wanted: &ObjectKey) -> String {
        let url = match self.store() {
            Ok(store) => store.url(wanted).await,
            Err(_) => Ok(ObjectUrl::Served),
        };
        match url {
            Ok(ObjectUrl::External(url)) => url,
            Ok(ObjectUrl::Served) => self.served_url(address, key, wanted),
            Err(error) => {
                tracing::error!(error = error.report(), "a URL could not be signed");
                address.replace(key.as_str(), wanted.as_str())
            }
        }
    }
}
