//! Texts of others (a tool's last words, a server's error) without the credentials that a connection string may carry.

/// What stands in place of a credential.
const HIDDEN: &str = "xxxxx";

/// Hides the user information of URLs (`postgres://user:password@host`) and the values of `password=`. Go quotes a URL
/// that it cannot parse, and drivers quote theirs.
#[must_use]
pub fn without_credentials(text: &str) -> String {
    text.split_inclusive('\n').map(|line| without_passwords(&without_user_info(line))).collect()
}

fn without_user_info(line: &str) -> String {
    let mut clean = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find("://") {
        let (before, url) = rest.split_at(at + 3);
        clean.push_str(before);
        rest = match end_of_user_info(url) {
            Some(end) => {
                clean.push_str(HIDDEN);
                &url[end..]
            }
            None => url,
        };
    }
    clean + rest
}

/// Where the `@` after the user information is, the last one that may be: a password that is not escaped has any
/// character in it.
fn end_of_user_info(url: &str) -> Option<usize> {
    let word = url.find(|c: char| c.is_whitespace() || "\"'`".contains(c)).unwrap_or(url.len());
    let (word, rest) = url.split_at(word);
    if let Some(at) = word.rfind('@') {
        return Some(at);
    }
    let authority = word.split(['/', '?', '#']).next().unwrap_or_default();
    let port = authority.rsplit_once(':').is_none_or(|(_, port)| port.chars().all(|c| c.is_ascii_digit()));
    let ends = port && (authority.len() < word.len() || rest.is_empty() || !rest.starts_with(char::is_alphanumeric));
    if ends && !authority.is_empty() { None } else { url.rfind('@') }
}

/// The value of `password=` up to a space, an ampersand or its closing quote.
fn without_passwords(line: &str) -> String {
    const KEY: &str = "password=";
    let mut clean = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.to_ascii_lowercase().find(KEY) {
        let (before, value) = rest.split_at(at + KEY.len());
        clean.push_str(before);
        clean.push_str(HIDDEN);
        let quote = value.chars().next().filter(|c| "\"'".contains(*c));
        let end = match quote {
            Some(quote) => value[1..].find(quote).map(|end| end + 2),
            None => value.find(|c: char| c.is_whitespace() || "&\"`".contains(c)),
        };
        rest = &value[end.unwrap_or(value.len())..];
    }
    clean + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(
        r#"parse "postgres://u:s3c%zz@db:5432/t?sslmode=disable": invalid URL escape "%zz""#,
        r#"parse "postgres://xxxxx@db:5432/t?sslmode=disable": invalid URL escape "%zz""#
    )]
    #[case("postgres://u:a@b/c:d@db/t", "postgres://xxxxx@db/t")]
    #[case("postgres://u:a b\"c@db/t", "postgres://xxxxx@db/t")]
    #[case("postgres://only-user@db/t and https://a:b@c.d", "postgres://xxxxx@db/t and https://xxxxx@c.d")]
    #[case("host=db user=t password=s3c'x dbname=t", "host=db user=t password=xxxxx dbname=t")]
    #[case("PASSWORD='a b' dbname=t password=c", "PASSWORD=xxxxx dbname=t password=xxxxx")]
    // what carries none stays
    #[case(
        "pq: password authentication failed for user \"temporal\"",
        "pq: password authentication failed for user \"temporal\""
    )]
    #[case("get http://10.0.0.1:7243/x: mail a@b", "get http://10.0.0.1:7243/x: mail a@b")]
    #[case("lookup postgres on 10.96.0.10:53: no such host", "lookup postgres on 10.96.0.10:53: no such host")]
    fn credentials_are_hidden(#[case] text: &str, #[case] clean: &str) {
        assert_eq!(without_credentials(text), clean);
    }

    #[test]
    fn every_line_is_cleaned() {
        assert_eq!(without_credentials("a\nx://u:p@h\nb\n"), "a\nx://xxxxx@h\nb\n");
    }
}
