drop table if exists change_receipts;
drop table if exists message_changes;
drop table if exists room_changes;
