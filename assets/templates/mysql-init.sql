$header
SET SESSION sql_log_bin=0;
CREATE USER IF NOT EXISTS '$admin'@'127.0.0.1' IDENTIFIED WITH mysql_native_password AS '$hash';
ALTER USER '$admin'@'127.0.0.1' IDENTIFIED WITH mysql_native_password AS '$hash';
GRANT ALL PRIVILEGES ON *.* TO '$admin'@'127.0.0.1' WITH GRANT OPTION;
ALTER USER IF EXISTS 'root'@'localhost' IDENTIFIED WITH mysql_native_password AS '$hash';
