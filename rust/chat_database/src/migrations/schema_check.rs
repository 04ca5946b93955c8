//! Which tables and columns the queries need, and whether they are there.

use std::collections::{BTreeMap, BTreeSet};

use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::Text;

use super::SyncPgConnection;
use crate::error::DatabaseError;

/// Our tables, in the order in which they refer to each other, those of
/// [`Additions`] last.
pub(super) const TABLES: [&str; 14] = [
    "users",
    "rooms",
    "user_rooms",
    "file_uploads",
    "messages",
    "pending_objects",
    "file_thumbnails",
    "room_sequences",
    "message_sequence",
    "message_receipts",
    "read_markers",
    "room_changes",
    "message_changes",
    "change_receipts",
];

/// Tables that the original does not have. A role that may not create them works
/// without, see [`Additions`].
const UPLOAD_COLUMNS: [(&str, &[&str]); 2] = [
    ("pending_objects", &["object_key", "due_at"]),
    ("file_thumbnails", &["file_id"]),
];
const ORDER_COLUMNS: [(&str, &[&str]); 3] = [
    ("room_sequences", &["room_id", "last_seq", "unnumbered"]),
    ("message_sequence", &["room_id", "seq", "message_id"]),
    (
        "message_receipts",
        &[
            "sender_id",
            "room_id",
            "client_id",
            "message_id",
            "created_at",
        ],
    ),
];
const READING_COLUMNS: [(&str, &[&str]); 1] = [("read_markers", &["user_id", "room_id", "seq"])];
const CHANGE_COLUMNS: [(&str, &[&str]); 3] = [
    ("room_changes", &["room_id", "last_change"]),
    (
        "message_changes",
        &[
            "message_id",
            "room_id",
            "seq",
            "change",
            "edited_at",
            "deleted_at",
            "deleted_by",
        ],
    ),
    (
        "change_receipts",
        &[
            "user_id",
            "room_id",
            "client_id",
            "message_id",
            "seq",
            "change",
            "changed_at",
            "created_at",
        ],
    ),
];
/// What the queries do to them.
const CHANGE_PRIVILEGES: [(&str, &[&str]); 4] = [
    ("messages", &["update"]),
    ("room_changes", &["select", "insert", "update"]),
    ("message_changes", &["select", "insert", "update"]),
    ("change_receipts", &["select", "insert", "update", "delete"]),
];
const ORDER_PRIVILEGES: [(&str, &[&str]); 3] = [
    ("room_sequences", &["select", "update"]),
    ("message_sequence", &["select", "insert"]),
    (
        "message_receipts",
        &["select", "insert", "update", "delete"],
    ),
];

const READING_PRIVILEGES: [(&str, &[&str]); 1] =
    [("read_markers", &["select", "insert", "update"])];

const COLUMNS: [(&str, &[&str]); 4] = [
    (
        "users",
        &[
            "id",
            "username",
            "email",
            "hashed_password",
            "full_name",
            "is_active",
            "created_at",
            "updated_at",
        ],
    ),
    (
        "rooms",
        &[
            "id",
            "name",
            "description",
            "is_private",
            "owner_id",
            "created_at",
            "updated_at",
        ],
    ),
    ("user_rooms", &["user_id", "room_id"]),
    (
        "messages",
        &[
            "id",
            "content",
            "sender_id",
            "room_id",
            "file_id",
            "created_at",
        ],
    ),
];
const FILE_COLUMNS_A: &[&str] = &[
    "id",
    "original_filename",
    "stored_filename",
    "file_size",
    "content_type",
    "public_url",
    "uploader_id",
    "uploaded_at",
];
const FILE_COLUMNS_B: &[&str] = &[
    "id",
    "filename",
    "file_path",
    "file_url",
    "file_size",
    "content_type",
    "user_id",
    "uploaded_at",
];

/// What the sibling systems need, by table.
const COMPAT_COLUMNS: [(&str, &[&str]); 9] = [
    (
        "compat_accounts",
        &[
            "id",
            "system",
            "public_id",
            "username",
            "search_name",
            "email",
            "hashed_password",
            "created_at",
        ],
    ),
    (
        "compat_rooms",
        &[
            "id",
            "system",
            "public_id",
            "name",
            "kind",
            "description",
            "creator_id",
            "pair_key",
            "created_at",
        ],
    ),
    ("compat_room_members", &["id", "room_id", "account_id"]),
    (
        "compat_messages",
        &[
            "id",
            "public_id",
            "room_id",
            "sender_id",
            "sender_name",
            "content",
            "image_url",
            "created_at",
        ],
    ),
    (
        "compat_meetings",
        &[
            "public_id",
            "creator_id",
            "status",
            "created_at",
            "ended_at",
            "joined_at",
            "empty_since",
        ],
    ),
    (
        "compat_call_users",
        &[
            "id",
            "public_id",
            "name",
            "sip_peer",
            "sip_attached_at",
            "owner_id",
            "created_at",
        ],
    ),
    (
        "compat_calls",
        &[
            "id",
            "public_id",
            "from_user_id",
            "to_user_id",
            "room_name",
            "status",
            "start_time",
            "end_time",
        ],
    ),
    (
        "compat_call_rooms",
        &["id", "public_id", "name", "room_name", "created_at"],
    ),
    (
        "compat_call_room_members",
        &["id", "room_id", "user_id", "joined_at"],
    ),
];

/// The two forms of `file_uploads` in existing databases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FileLayout {
    /// The first generation: `original_filename`, `stored_filename`,
    /// `public_url`, `uploader_id`. New databases get this one.
    A,
    /// The second generation: `filename`, `file_path`, `file_url`, `user_id`.
    B,
}

/// What of the tables that the original does not have is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Additions {
    /// Without it files have no thumbnails, and objects that a crash has left
    /// behind stay.
    pub uploads: bool,
    /// Without it messages have no numbers, and one that is sent twice is stored
    /// twice.
    pub order: bool,
    /// Only with `order`. Without it nobody knows how far a user has read.
    pub reading: bool,
    /// Without it messages stay as they are. Only where `order` is.
    pub changes: bool,
}

/// The columns that exist, by table.
#[derive(Debug, Default)]
pub(super) struct Columns(BTreeMap<String, BTreeSet<String>>);

impl Columns {
    pub(super) fn has_table(&self, table: &str) -> bool {
        self.0.contains_key(table)
    }

    /// Whether the tables for uploads are there.
    pub(super) fn has_uploads(&self) -> bool {
        self.missing(UPLOAD_COLUMNS).is_empty()
    }

    /// Whether the tables for the order of messages are there.
    pub(super) fn has_order(&self) -> bool {
        self.missing(ORDER_COLUMNS).is_empty()
    }

    /// Whether the table for how far users have read is there.
    pub(super) fn has_reading(&self) -> bool {
        self.missing(READING_COLUMNS).is_empty()
    }

    /// Whether the tables for changes of messages are there.
    pub(super) fn has_changes(&self) -> bool {
        self.missing(CHANGE_COLUMNS).is_empty()
    }

    /// Finds out the layout of the files.
    ///
    /// # Errors
    /// [`DatabaseError::SchemaMissing`] with every table, or column of an
    /// existing table, that the queries would miss.
    pub(super) fn check(&self) -> Result<FileLayout, DatabaseError> {
        let layout = if self.has_column("file_uploads", "uploader_id")
            || !self.has_column("file_uploads", "user_id")
        {
            FileLayout::A
        } else {
            FileLayout::B
        };
        let file_columns = match layout {
            FileLayout::A => FILE_COLUMNS_A,
            FileLayout::B => FILE_COLUMNS_B,
        };
        let missing = self.missing(COLUMNS.into_iter().chain([("file_uploads", file_columns)]));
        if missing.is_empty() {
            Ok(layout)
        } else {
            Err(DatabaseError::SchemaMissing { missing })
        }
    }

    /// What the sibling systems would miss.
    pub(super) fn missing_compat(&self) -> Vec<String> {
        self.missing(COMPAT_COLUMNS)
    }

    fn missing<'a>(
        &self,
        needed: impl IntoIterator<Item = (&'a str, &'a [&'a str])>,
    ) -> Vec<String> {
        let mut missing = Vec::new();
        for (table, columns) in needed {
            if !self.has_table(table) {
                missing.push(format!("table {table}"));
                continue;
            }
            for column in columns {
                if !self.has_column(table, column) {
                    missing.push(format!("column {table}.{column}"));
                }
            }
        }
        missing
    }

    fn has_column(&self, table: &str, column: &str) -> bool {
        self.0
            .get(table)
            .is_some_and(|columns| columns.contains(column))
    }
}

#[derive(QueryableByName)]
struct Column {
    #[diesel(sql_type = Text)]
    table_name: String,
    #[diesel(sql_type = Text)]
    column_name: String,
}

impl FromIterator<Column> for Columns {
    fn from_iter<I: IntoIterator<Item = Column>>(rows: I) -> Self {
        let mut columns = Self::default();
        for row in rows {
            columns
                .0
                .entry(row.table_name)
                .or_default()
                .insert(row.column_name);
        }
        columns
    }
}

/// SQL for the ids of our tables, found along the search path as the queries
/// find them; null for a missing one.
pub(super) fn postgres_table_oids() -> String {
    oids(TABLES)
}

/// SQL for whether messages are numbered and this role may use the numbers; for
/// when the tables are there.
pub(super) fn postgres_order_is_usable() -> String {
    format!(
        "exists (
             select from pg_trigger
             where tgrelid = to_regclass('messages') and tgname = 'number_messages'
                 and tgenabled <> 'D'
         ) and {}",
        postgres_privileges(&ORDER_PRIVILEGES)
    )
}

/// SQL for whether this role may use the table for how far users have read; for
/// when it is there.
pub(super) fn postgres_reading_is_usable() -> String {
    postgres_privileges(&READING_PRIVILEGES)
}

/// SQL for whether this role may change messages; for when the tables are there.
pub(super) fn postgres_changes_are_usable() -> String {
    postgres_privileges(&CHANGE_PRIVILEGES)
}

fn postgres_privileges(needed: &[(&str, &[&str])]) -> String {
    let privileges: Vec<String> = needed
        .iter()
        .flat_map(|(table, privileges)| {
            privileges.iter().map(move |privilege| {
                format!("has_table_privilege(to_regclass('{table}'), '{privilege}')")
            })
        })
        .collect();
    privileges.join(" and ")
}

fn oids<'a>(tables: impl IntoIterator<Item = &'a str>) -> String {
    let oids: Vec<String> = tables
        .into_iter()
        .map(|table| format!("to_regclass('{table}')::oid"))
        .collect();
    oids.join(", ")
}

/// Read from the catalogue itself: `information_schema` hides what the role
/// has no rights on.
pub(super) fn load_postgres_columns(connection: &mut SyncPgConnection) -> QueryResult<Columns> {
    let rows: Vec<Column> = sql_query(format!(
        "select pg_class.relname::text as table_name, pg_attribute.attname::text as column_name
         from pg_class join pg_attribute on pg_attribute.attrelid = pg_class.oid
         where pg_class.oid in ({}) and pg_attribute.attnum > 0
           and not pg_attribute.attisdropped",
        oids(
            TABLES
                .into_iter()
                .chain(COMPAT_COLUMNS.map(|(table, _)| table))
        )
    ))
    .load(connection)?;
    Ok(rows.into_iter().collect())
}

pub(super) fn load_sqlite_columns(connection: &mut SqliteConnection) -> QueryResult<Columns> {
    let rows: Vec<Column> = sql_query(
        "select tables.name as table_name, columns.name as column_name
         from sqlite_master as tables join pragma_table_info(tables.name) as columns
         where tables.type = 'table'",
    )
    .load(connection)?;
    Ok(rows.into_iter().collect())
}
