use super::*;

const CLOUDS: &str = r#"
clouds:
  tenant:
    auth:
      auth_url: https://keystone.example.com:5000
      username: alice
      password: pa55word-secret
      project_name: demo
      user_domain_id: users
      project_domain_name: Projects
    region_name: RegionOne
    cacert: /does/not/matter.pem
  appcred:
    auth_type: v3applicationcredential
    auth:
      auth_url: https://keystone.example.com:5000/v3
      application_credential_id: 0123
      application_credential_secret: app-secret
    endpoint_type: internalURL
    verify: false
  half:
    auth_type: v3password
    auth:
      auth_url: https://keystone.example.com:5000/v3
      username: alice
  odd:
    auth_type: v3oidcpassword
    auth: {auth_url: "https://keystone.example.com"}
"#;

fn parse(cloud: &str) -> Result<Credentials, CredentialsError> {
    Credentials::parse(CLOUDS.as_bytes(), cloud, None, None)
}

#[test]
fn a_password_entry() {
    let found = parse("tenant").unwrap();
    let Auth::Password { user, password } = &found.auth else {
        panic!("{found:?}")
    };
    assert_eq!(user.name.as_deref(), Some("alice"));
    assert_eq!(
        (user.domain_id.as_deref(), user.domain_name.as_deref()),
        (Some("users"), None)
    );
    assert_eq!(password.0, "pa55word-secret");
    assert_eq!(found.project.domain_name.as_deref(), Some("Projects"));
    assert_eq!(found.region.as_deref(), Some("RegionOne"));
    assert_eq!(found.interface, Interface::Public);
    assert!(found.verify);
}

#[test]
fn an_application_credential_entry() {
    let found = parse("appcred").unwrap();
    let Auth::ApplicationCredential { id, secret, .. } = &found.auth else {
        panic!("{found:?}")
    };
    assert_eq!(
        id.as_deref(),
        Some("0123"),
        "a number in YAML, a text for Keystone"
    );
    assert_eq!(secret.0, "app-secret");
    assert_eq!(found.interface, Interface::Internal);
    assert!(!found.verify);
}

#[test]
fn the_interface_is_that_of_the_endpoint_type_or_else_its_own() {
    for (fields, want) in [
        ("", Interface::Public),
        ("interface: internal, ", Interface::Internal),
        ("endpoint_type: adminURL, ", Interface::Admin),
        (
            "interface: internal, endpoint_type: public, ",
            Interface::Public,
        ),
    ] {
        let auth = "{auth_url: 'https://keystone.example.com/v3', username: u, password: p}";
        let yaml = format!("clouds: {{c: {{{fields}auth: {auth}}}}}");
        let found = Credentials::parse(yaml.as_bytes(), "c", None, None);
        assert_eq!(found.expect("credentials").interface, want, "{fields}");
    }
}

fn entry(auth: &str) -> Result<Credentials, CredentialsError> {
    let url = "auth_url: 'https://keystone.example.com/v3'";
    let yaml = format!("clouds: {{c: {{auth: {{{url}, {auth}}}}}}}");
    Credentials::parse(yaml.as_bytes(), "c", None, None)
}

/// Id and name of the domains of user and project.
fn domains(auth: &str) -> [(Option<String>, Option<String>); 2] {
    let found = entry(&format!(
        "username: u, password: pa55word, project_name: p, {auth}"
    ));
    let found = found.unwrap();
    let Auth::Password { user, .. } = found.auth else {
        panic!("a password")
    };
    let project = found.project;
    [
        (user.domain_id, user.domain_name),
        (project.domain_id, project.domain_name),
    ]
}

#[test]
fn the_nearest_domain_wins() {
    let id = |id: &str| (Some(id.to_owned()), None);
    let name = |name: &str| (None, Some(name.to_owned()));
    for (auth, user, project) in [
        ("", name("Default"), name("Default")),
        ("default_domain: d", id("d"), id("d")),
        ("domain_id: d, default_domain: x", id("d"), id("d")),
        ("domain_name: N", name("N"), name("N")),
        ("domain_id: d, user_domain_name: U", name("U"), id("d")),
        ("project_domain_id: p, domain_name: N", name("N"), id("p")),
        ("user_domain_id: ''", name("Default"), name("Default")),
    ] {
        assert_eq!(domains(auth), [user, project], "{auth}");
    }
}

#[test]
fn an_application_credential_by_name_needs_its_user() {
    let secret = "application_credential_secret: app-secret";
    let by_name =
        format!("{secret}, application_credential_id: '', application_credential_name: n");
    let error = entry(&by_name).unwrap_err().to_string();
    assert!(error.contains("auth.user_id (or username)"), "{error}");
    let found = entry(&format!("{by_name}, username: alice")).unwrap();
    let Auth::ApplicationCredential { id, name, user, .. } = found.auth else {
        panic!("an application credential")
    };
    assert_eq!((id, name.as_deref()), (None, Some("n")));
    assert_eq!(user.domain_name.as_deref(), Some("Default"));
}

#[test]
fn what_can_own_no_server_is_refused() {
    let user = "username: u, password: pa55word";
    let error = entry(&format!("{user}, system_scope: all")).unwrap_err();
    assert!(error.to_string().contains("`auth.system_scope` is \"all\""));
}

#[test]
fn without_a_project_it_is_the_users_default_one() {
    let found = entry("username: u, password: pa55word, domain_id: d").unwrap();
    assert_eq!((&found.project.id, &found.project.name), (&None, &None));
    let body = crate::identity::login_body(&found);
    assert!(body["auth"].get("scope").is_none(), "{body}");
}

#[test]
fn a_url_with_a_password_is_refused_and_not_shown() {
    let yaml = "clouds: {c: {auth: {auth_url: 'https://u:pa55word@k.example.com/v3', token: t}}}";
    let error = Credentials::parse(yaml.as_bytes(), "c", None, None).unwrap_err();
    let shown = format!("{error} {error:?}");
    assert!(shown.contains("without user and password"), "{shown}");
    assert!(!shown.contains("pa55word"), "{shown}");
}

#[test]
fn debug_shows_no_secret() {
    for cloud in ["tenant", "appcred"] {
        let shown = format!("{:?}", parse(cloud).unwrap());
        assert!(
            !shown.contains("secret\"") && !shown.contains("pa55word"),
            "{shown}"
        );
    }
}

#[test]
fn the_region_override_wins_and_changes_the_fingerprint() {
    let plain = parse("tenant").unwrap();
    let other = Credentials::parse(CLOUDS.as_bytes(), "tenant", Some("RegionTwo"), None).unwrap();
    assert_eq!(other.region.as_deref(), Some("RegionTwo"));
    assert_ne!(plain.fingerprint(), other.fingerprint());
    assert_eq!(plain.fingerprint(), parse("tenant").unwrap().fingerprint());
    let mut secret = plain.clone();
    secret.auth = Auth::Token {
        token: Redacted("x".into()),
    };
    assert_ne!(plain.fingerprint(), secret.fingerprint());
    let mut ca = plain.clone();
    ca.ca = Some(b"pem".to_vec());
    assert_ne!(plain.fingerprint(), ca.fingerprint());
}

#[test]
fn errors_name_the_cloud_the_field_and_the_way_out() {
    assert_eq!(
        parse("nobody").unwrap_err().to_string(),
        "clouds.yaml has no cloud \"nobody\": it has appcred, half, odd, tenant"
    );
    assert_eq!(
        parse("half").unwrap_err().to_string(),
        "cloud \"half\": `auth.password` is missing, which auth_type password needs"
    );
    assert!(
        parse("odd")
            .unwrap_err()
            .to_string()
            .contains("v3applicationcredential")
    );
    let bad_ca = Credentials::parse(CLOUDS.as_bytes(), "tenant", None, Some(b"nonsense"));
    assert_eq!(
        bad_ca.unwrap_err(),
        CredentialsError::BadCa {
            cloud: "tenant".into()
        }
    );
}

#[test]
fn an_unreadable_file_is_placed_but_not_quoted() {
    let text = b"clouds:\n  a:\n    auth: {password: [s3cret, s3cret]}\n";
    let error = Credentials::parse(text, "a", None, None)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("line 3") && !error.contains("s3cret"),
        "{error}"
    );
}
