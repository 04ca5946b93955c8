drop table if exists read_markers;
