//! Storing and deleting files, and the objects of the store that no row stands for.
//!
//! An object is announced before it is written and struck off in the transaction
//! that inserts its row; deleting a row announces its object again. So whatever a
//! crash leaves in the store is named here.

use chat_protocol::ids::FileId;
use chrono::{DateTime, Utc};
use diesel::{ExpressionMethods, QueryDsl};

use super::{Connection, RunQueryDsl, lock_file};
use crate::backend::{among, paged};
use crate::database::FileTables;
use crate::error::DatabaseError;
use crate::migrations::FileLayout;
use crate::models::{FILE_COLUMNS, FILE_COLUMNS_B, FileRecord, NewFile, Page, last_part};
use crate::schema::{file_thumbnails, file_uploads, file_uploads_b, messages, pending_objects};
use crate::timestamp::now;

/// Announces an object that has no row. Once it is due it may be deleted.
pub(crate) async fn announce(
    connection: &mut Connection,
    object_key: &str,
    due_at: DateTime<Utc>,
) -> Result<(), DatabaseError> {
    diesel::insert_into(pending_objects::table)
        .values((
            pending_objects::object_key.eq(object_key),
            pending_objects::due_at.eq(Some(due_at)),
        ))
        .on_conflict(pending_objects::object_key)
        .do_update()
        .set(pending_objects::due_at.eq(Some(due_at)))
        .execute(connection)
        .await?;
    Ok(())
}

/// Objects that are due, the longest due first.
pub(crate) async fn list_due(
    connection: &mut Connection,
    limit: i64,
) -> Result<Vec<String>, DatabaseError> {
    let due = pending_objects::table
        .filter(pending_objects::due_at.le(Some(now())))
        .order((pending_objects::due_at, pending_objects::object_key))
        .select(pending_objects::object_key);
    Ok(paged(due, Page { skip: 0, limit })
        .load::<String>(connection)
        .await?)
}

/// Makes everything due that is not yet.
pub(crate) async fn make_all_due(connection: &mut Connection) -> Result<(), DatabaseError> {
    diesel::update(pending_objects::table.filter(pending_objects::due_at.gt(Some(now()))))
        .set(pending_objects::due_at.eq(Some(now())))
        .execute(connection)
        .await?;
    Ok(())
}

/// Strikes off objects that are gone.
pub(crate) async fn forget(
    connection: &mut Connection,
    object_keys: Vec<String>,
) -> Result<(), DatabaseError> {
    diesel::delete(pending_objects::table.filter(among(pending_objects::object_key, object_keys)))
        .execute(connection)
        .await?;
    Ok(())
}

/// Inserts the rows of finished objects, in their order. Needs a transaction.
pub(crate) async fn insert(
    connection: &mut Connection,
    tables: FileTables,
    files: &[NewFile],
) -> Result<Vec<FileRecord>, DatabaseError> {
    let mut records = Vec::with_capacity(files.len());
    for file in files {
        records.push(insert_row(connection, tables.layout, file).await?);
    }
    if tables.has_additions {
        let keys = files.iter().map(|file| file.object_key.clone()).collect();
        forget(connection, keys).await?;
    }
    Ok(records)
}

async fn insert_row(
    connection: &mut Connection,
    layout: FileLayout,
    file: &NewFile,
) -> Result<FileRecord, DatabaseError> {
    let record = match layout {
        FileLayout::A => {
            diesel::insert_into(file_uploads::table)
                .values((
                    file_uploads::original_filename.eq(&file.original_filename),
                    file_uploads::stored_filename.eq(last_part(&file.object_key)),
                    file_uploads::file_size.eq(file.file_size),
                    file_uploads::content_type.eq(&file.content_type),
                    file_uploads::public_url.eq(&file.public_url),
                    file_uploads::uploader_id.eq(file.uploader_id.0),
                    file_uploads::uploaded_at.eq(Some(now())),
                ))
                .returning(FILE_COLUMNS)
                .get_result::<FileRecord>(connection)
                .await?
        }
        FileLayout::B => diesel::insert_into(file_uploads_b::table)
            .values((
                file_uploads_b::filename.eq(&file.original_filename),
                file_uploads_b::file_path.eq(&file.object_key),
                file_uploads_b::file_size.eq(file.file_size),
                file_uploads_b::content_type.eq(&file.content_type),
                file_uploads_b::file_url.eq(&file.public_url),
                file_uploads_b::user_id.eq(file.uploader_id.0),
                file_uploads_b::uploaded_at.eq(Some(now())),
            ))
            .returning(FILE_COLUMNS_B)
            .get_result::<FileRecord>(connection)
            .await?
            .without_object_path(),
    };
    Ok(record)
}

/// Notes that the file has a thumbnail; false if the file is gone. Needs a transaction.
pub(crate) async fn add_thumbnail(
    connection: &mut Connection,
    tables: FileTables,
    file: FileId,
) -> Result<bool, DatabaseError> {
    if !lock_file(connection, tables.layout, file.0).await? {
        return Ok(false);
    }
    diesel::insert_into(file_thumbnails::table)
        .values(file_thumbnails::file_id.eq(file.0))
        .on_conflict_do_nothing()
        .execute(connection)
        .await?;
    Ok(true)
}

/// Deletes the row and takes the file off the messages that carry it, which
/// stay; `object_keys` become due. Needs a transaction: the lock on the row keeps
/// messages with it from being stored meanwhile.
pub(crate) async fn delete(
    connection: &mut Connection,
    tables: FileTables,
    file: FileId,
    object_keys: &[String],
) -> Result<(), DatabaseError> {
    if !lock_file(connection, tables.layout, file.0).await? {
        return Err(DatabaseError::FileNotFound);
    }
    diesel::update(messages::table.filter(messages::file_id.eq(file.0)))
        .set(messages::file_id.eq(None::<i32>))
        .execute(connection)
        .await?;
    match tables.layout {
        FileLayout::A => {
            diesel::delete(file_uploads::table.find(file.0))
                .execute(connection)
                .await?
        }
        FileLayout::B => {
            diesel::delete(file_uploads_b::table.find(file.0))
                .execute(connection)
                .await?
        }
    };
    if tables.has_additions {
        diesel::delete(file_thumbnails::table.find(file.0))
            .execute(connection)
            .await?;
        for key in object_keys {
            announce(connection, key, now()).await?;
        }
    }
    Ok(())
}
