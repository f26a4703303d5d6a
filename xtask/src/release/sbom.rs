//! Bills of materials: what an artefact is made of, as CycloneDX 1.5 in JSON.

use serde_json::{Value, json};

use crate::packages::{Package, Packages};

/// The bill of an artefact of `member` with the packages that are linked in. It has neither a serial number nor a time of its
/// own, so that the same sources give the same bytes.
pub(super) fn of(member: &str, version: &str, kind: &str, packages: &Packages, linked: &[Package]) -> Value {
    let own = format!("pkg:cargo/{member}@{version}");
    let components: Vec<Value> = linked.iter().map(component).collect();
    let arrows = |name: &str, version: &str| -> Vec<String> {
        packages.uses(name, version, linked).into_iter().map(purl).collect()
    };
    // Other members are parts of the artefact itself, and so is what they use.
    let mut direct: Vec<String> = MEMBERS.iter().flat_map(|member| arrows(member, version)).collect();
    direct.sort();
    direct.dedup();
    let mut dependencies = vec![json!({ "ref": own, "dependsOn": direct })];
    dependencies.extend(
        linked.iter().map(|one| json!({ "ref": purl(one), "dependsOn": arrows(&one.name, &one.version) })),
    );
    json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "authors": [{ "name": "The masker developers" }],
            "component": {
                "type": kind,
                "bom-ref": own,
                "supplier": { "name": "The masker developers" },
                "name": member,
                "version": version,
                "licenses": [{ "expression": "MIT OR Apache-2.0" }],
                "purl": own,
            },
        },
        "components": components,
        "dependencies": dependencies,
    })
}

const MEMBERS: [&str; 5] = ["masker-cli", "masker-core", "masker-node", "masker-py", "masker-server"];

fn purl(package: &Package) -> String {
    // In a package URL a plus is written with its code.
    format!("pkg:cargo/{}@{}", package.name, package.version.replace('+', "%2B"))
}

fn component(package: &Package) -> Value {
    let authors = package.authors.join(", ");
    let supplier = if authors.is_empty() { format!("The authors of {}", package.name) } else { authors };
    json!({
        "type": "library",
        "bom-ref": purl(package),
        "supplier": { "name": supplier },
        "name": package.name,
        "version": package.version,
        "scope": "required",
        "hashes": [{ "alg": "SHA-256", "content": package.checksum }],
        "licenses": [{ "expression": package.licence }],
        "purl": purl(package),
    })
}

/// What a bill lacks of the minimum elements (NTIA, 2021): author, supplier, name, version, identifier, hash and relation of
/// every part.
pub(super) fn faults(bill: &Value) -> Vec<String> {
    let has = |value: &Value, pointer: &str| {
        value.pointer(pointer).and_then(Value::as_str).is_some_and(|text| !text.is_empty())
    };
    let mut faults = Vec::new();
    for pointer in ["/bomFormat", "/specVersion", "/metadata/authors/0/name"] {
        if !has(bill, pointer) {
            faults.push(format!("the bill has no {pointer}"));
        }
    }
    let parts = bill["components"].as_array().map(Vec::as_slice).unwrap_or_default();
    let arrows = bill["dependencies"].as_array().map(Vec::as_slice).unwrap_or_default();
    let whole = &bill["metadata"]["component"];
    let known: Vec<&str> =
        std::iter::once(whole).chain(parts).filter_map(|part| part["bom-ref"].as_str()).collect();
    for part in std::iter::once(whole).chain(parts) {
        let name = part["name"].as_str().unwrap_or("?");
        let mut wanted =
            vec!["/name", "/version", "/purl", "/bom-ref", "/supplier/name", "/licenses/0/expression"];
        // The artefact's own hash stands in the list of checksums.
        if !std::ptr::eq(part, whole) {
            wanted.push("/hashes/0/content");
        }
        faults.extend(
            wanted
                .iter()
                .filter(|pointer| !has(part, pointer))
                .map(|pointer| format!("{name} has no {pointer}")),
        );
        if !arrows.iter().any(|arrow| arrow["ref"] == part["bom-ref"]) {
            faults.push(format!("{name} has no relations"));
        }
    }
    for arrow in arrows {
        let to = arrow["dependsOn"].as_array().map(Vec::as_slice).unwrap_or_default();
        for unknown in to.iter().filter_map(Value::as_str).filter(|to| !known.contains(to)) {
            faults.push(format!("a relation leads to {unknown}, which is no part"));
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bill() -> Value {
        let metadata = json!({
            "packages": [
                { "id": "m", "name": "masker-core", "version": "0.1.0", "source": null, "manifest_path": "/m/Cargo.toml" },
                { "id": "a", "name": "a", "version": "1.0.0+x", "source": "r", "license": "MIT", "manifest_path": "/a/Cargo.toml" },
            ],
            "resolve": { "nodes": [{ "id": "m", "deps": [{ "pkg": "a" }] }, { "id": "a", "deps": [] }] },
        });
        let packages = Packages::from_metadata(&metadata, "").unwrap();
        let linked = [Package {
            name: "a".to_owned(),
            version: "1.0.0+x".to_owned(),
            licence: "MIT".to_owned(),
            authors: Vec::new(),
            checksum: "ab".repeat(32),
            folder: "/a".into(),
        }];
        of("masker-core", "0.1.0", "library", &packages, &linked)
    }

    #[test]
    fn a_bill_is_whole() {
        let bill = bill();
        assert_eq!(faults(&bill), Vec::<String>::new());
        assert_eq!(bill["components"][0]["purl"], "pkg:cargo/a@1.0.0%2Bx");
        assert_eq!(bill["dependencies"][0]["dependsOn"], json!(["pkg:cargo/a@1.0.0%2Bx"]));
    }

    #[test]
    fn what_a_bill_lacks_is_told() {
        let mut lacking = bill();
        lacking["components"][0]["hashes"] = json!([]);
        assert_eq!(faults(&lacking), ["a has no /hashes/0/content"]);
        let mut lacking = bill();
        lacking["dependencies"][0]["dependsOn"] = json!(["pkg:cargo/b@1.0.0"]);
        assert_eq!(faults(&lacking).len(), 1);
        let mut lacking = bill();
        lacking["components"][0]["version"] = json!("");
        assert_eq!(faults(&lacking), ["a has no /version"]);
        assert!(!faults(&json!({})).is_empty());
    }
}
