//! Files, in either layout of the table: look-up, lists, who may see them.
//! Storing and deleting them is in `uploads`.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use chat_protocol::ids::{FileId, UserId};
use diesel::dsl::exists;
use diesel::{BoolExpressionMethods, ExpressionMethods, NullableExpressionMethods, QueryDsl};

use super::{Connection, RunQueryDsl};
use crate::backend::{among, paged};
use crate::database::FileTables;
use crate::error::DatabaseError;
use crate::migrations::FileLayout;
use crate::models::{
    FILE_COLUMNS, FILE_COLUMNS_B, FileDetails, FileRecord, Page, USER_COLUMNS, User,
};
use crate::schema::{
    file_thumbnails, file_uploads, file_uploads_b, messages, rooms, user_rooms, users,
};

pub(crate) async fn find(
    connection: &mut Connection,
    tables: FileTables,
    id: FileId,
) -> Result<Option<FileDetails>, DatabaseError> {
    let files = by_ids(connection, tables, vec![id.0]).await?;
    Ok(files.into_iter().next())
}

pub(crate) async fn by_ids(
    connection: &mut Connection,
    tables: FileTables,
    ids: Vec<i32>,
) -> Result<Vec<FileDetails>, DatabaseError> {
    let rows = match tables.layout {
        FileLayout::A => {
            file_uploads::table
                .inner_join(users::table)
                .filter(among(file_uploads::id, ids))
                .select((FILE_COLUMNS, USER_COLUMNS))
                .load::<(FileRecord, User)>(connection)
                .await?
        }
        FileLayout::B => {
            file_uploads_b::table
                .inner_join(users::table)
                .filter(among(file_uploads_b::id, ids))
                .select((FILE_COLUMNS_B, USER_COLUMNS))
                .load::<(FileRecord, User)>(connection)
                .await?
        }
    };
    details(connection, tables, rows).await
}

/// The files a user uploaded, newest first.
pub(crate) async fn list_of_user(
    connection: &mut Connection,
    tables: FileTables,
    user: UserId,
    page: Page,
) -> Result<Vec<FileDetails>, DatabaseError> {
    let rows = match tables.layout {
        FileLayout::A => {
            paged(
                file_uploads::table
                    .inner_join(users::table)
                    .filter(file_uploads::uploader_id.eq(user.0))
                    .order((file_uploads::uploaded_at.desc(), file_uploads::id.desc()))
                    .select((FILE_COLUMNS, USER_COLUMNS)),
                page,
            )
            .load::<(FileRecord, User)>(connection)
            .await?
        }
        FileLayout::B => {
            paged(
                file_uploads_b::table
                    .inner_join(users::table)
                    .filter(file_uploads_b::user_id.eq(user.0))
                    .order((
                        file_uploads_b::uploaded_at.desc(),
                        file_uploads_b::id.desc(),
                    ))
                    .select((FILE_COLUMNS_B, USER_COLUMNS)),
                page,
            )
            .load::<(FileRecord, User)>(connection)
            .await?
        }
    };
    details(connection, tables, rows).await
}

/// Whether the user uploaded the file or can read a room with a message that
/// carries it. False for a file that does not exist.
pub(crate) async fn is_visible_to(
    connection: &mut Connection,
    tables: FileTables,
    file: FileId,
    user: UserId,
) -> Result<bool, DatabaseError> {
    let is_member = exists(
        user_rooms::table
            .filter(user_rooms::room_id.eq(rooms::id.nullable()))
            .filter(user_rooms::user_id.eq(user.0)),
    );
    let in_readable_room = exists(
        messages::table
            .inner_join(rooms::table)
            .filter(messages::file_id.eq(file.0))
            .filter(
                // NULL is shown as "not private", and so it reads.
                rooms::is_private
                    .is_null()
                    .or(rooms::is_private.eq(false))
                    .or(rooms::owner_id.eq(user.0))
                    .or(is_member),
            ),
    );
    let is_visible = match tables.layout {
        FileLayout::A => {
            let is_uploader = exists(
                file_uploads::table
                    .filter(file_uploads::id.eq(file.0))
                    .filter(file_uploads::uploader_id.eq(user.0)),
            );
            diesel::select(is_uploader.or(in_readable_room))
                .get_result::<bool>(connection)
                .await?
        }
        FileLayout::B => {
            let is_uploader = exists(
                file_uploads_b::table
                    .filter(file_uploads_b::id.eq(file.0))
                    .filter(file_uploads_b::user_id.eq(user.0)),
            );
            diesel::select(is_uploader.or(in_readable_room))
                .get_result::<bool>(connection)
                .await?
        }
    };
    Ok(is_visible)
}

/// Maps the columns of layout B, lets files share their uploader, and adds which
/// of them have a thumbnail.
async fn details(
    connection: &mut Connection,
    tables: FileTables,
    rows: Vec<(FileRecord, User)>,
) -> Result<Vec<FileDetails>, DatabaseError> {
    let with_thumbnail = with_thumbnail(connection, tables, &rows).await?;
    let mut uploaders: HashMap<UserId, Arc<User>> = HashMap::new();
    Ok(rows
        .into_iter()
        .map(|(file, uploader)| {
            let mut file = match tables.layout {
                FileLayout::A => file,
                FileLayout::B => file.without_object_path(),
            };
            file.has_thumbnail = with_thumbnail.contains(&file.id.0);
            let uploader = uploaders
                .entry(uploader.id)
                .or_insert_with(|| Arc::new(uploader));
            FileDetails {
                file,
                uploader: Arc::clone(uploader),
            }
        })
        .collect())
}

async fn with_thumbnail(
    connection: &mut Connection,
    tables: FileTables,
    rows: &[(FileRecord, User)],
) -> Result<HashSet<i32>, DatabaseError> {
    if !tables.has_additions || rows.is_empty() {
        return Ok(HashSet::new());
    }
    let ids = rows.iter().map(|(file, _)| file.id.0).collect();
    let found = file_thumbnails::table
        .filter(among(file_thumbnails::file_id, ids))
        .select(file_thumbnails::file_id)
        .load::<i32>(connection)
        .await?;
    Ok(found.into_iter().collect())
}
