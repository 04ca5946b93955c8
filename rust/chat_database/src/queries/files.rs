//! Files, in either layout of the table: look-up, lists, who may see them.

use std::collections::HashMap;
use std::sync::Arc;

use chat_protocol::ids::{FileId, UserId};
use diesel::dsl::exists;
use diesel::{BoolExpressionMethods, ExpressionMethods, NullableExpressionMethods, QueryDsl};

use super::{Connection, RunQueryDsl};
use crate::FileLayout;
use crate::backend::{among, paged};
use crate::error::DatabaseError;
use crate::models::{
    FILE_COLUMNS, FILE_COLUMNS_B, FileDetails, FileRecord, Page, USER_COLUMNS, User,
};
use crate::schema::{file_uploads, file_uploads_b, messages, rooms, user_rooms, users};

pub(crate) async fn find(
    connection: &mut Connection,
    layout: FileLayout,
    id: FileId,
) -> Result<Option<FileDetails>, DatabaseError> {
    let files = by_ids(connection, layout, vec![id.0]).await?;
    Ok(files.into_iter().next())
}

pub(crate) async fn by_ids(
    connection: &mut Connection,
    layout: FileLayout,
    ids: Vec<i32>,
) -> Result<Vec<FileDetails>, DatabaseError> {
    let rows = match layout {
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
    Ok(details(layout, rows))
}

/// The files a user uploaded, newest first.
pub(crate) async fn list_of_user(
    connection: &mut Connection,
    layout: FileLayout,
    user: UserId,
    page: Page,
) -> Result<Vec<FileDetails>, DatabaseError> {
    let rows = match layout {
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
    Ok(details(layout, rows))
}

/// Whether the user uploaded the file or can read a room with a message that
/// carries it. False for a file that does not exist.
pub(crate) async fn is_visible_to(
    connection: &mut Connection,
    layout: FileLayout,
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
    let is_visible = match layout {
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

/// Maps the columns of layout B and lets files share their uploader.
fn details(layout: FileLayout, rows: Vec<(FileRecord, User)>) -> Vec<FileDetails> {
    let mut uploaders: HashMap<UserId, Arc<User>> = HashMap::new();
    rows.into_iter()
        .map(|(file, uploader)| FileDetails {
            file: match layout {
                FileLayout::A => file,
                FileLayout::B => file.without_object_path(),
            },
            uploader: Arc::clone(
                uploaders
                    .entry(uploader.id)
                    .or_insert_with(|| Arc::new(uploader)),
            ),
        })
        .collect()
}
