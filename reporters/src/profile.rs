//! Which service SARIF is written for.

/// Which service SARIF is written for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum SarifProfile {
    /// GitHub code scanning: what counts, within its limits.
    #[default]
    Github,
    /// Any other reader: everything, also what is let pass, and what is new.
    Full,
    /// GitHub Advanced Security for Azure DevOps: as for GitHub, named after the pipeline.
    Ado,
}

/// The build of Azure Pipelines that a scan ran in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pipeline {
    /// The organisation.
    pub organization: String,
    /// The project.
    pub project: String,
    /// The number of the pipeline.
    pub definition_id: String,
    /// The name of the pipeline.
    pub definition_name: String,
    /// The phase: the job of the pipeline, before it is spread over agents.
    pub phase_id: String,
    /// Its name.
    pub phase_name: String,
    /// The branch: `refs/heads/main`.
    pub branch: String,
    /// The number of the build.
    pub build_id: String,
}

impl Pipeline {
    /// Reads the variables that every agent sets
    /// (<https://learn.microsoft.com/azure/devops/pipelines/build/variables>).
    ///
    /// # Errors
    /// The name of the first that is missing.
    pub fn from_variables(variable: &dyn Fn(&str) -> Option<String>) -> Result<Self, &'static str> {
        let get = |name: &'static str| variable(name).filter(|value| !value.trim().is_empty()).ok_or(name);
        let collection = get("SYSTEM_COLLECTIONURI").or_else(|_| get("SYSTEM_TEAMFOUNDATIONCOLLECTIONURI"))?;
        Ok(Self {
            organization: organization(&collection).ok_or("SYSTEM_COLLECTIONURI")?.to_owned(),
            project: get("SYSTEM_TEAMPROJECT")?,
            definition_id: get("SYSTEM_DEFINITIONID")?,
            definition_name: get("BUILD_DEFINITIONNAME")?,
            phase_id: get("SYSTEM_PHASEID")?,
            phase_name: get("SYSTEM_PHASENAME").or_else(|_| get("SYSTEM_PHASEDISPLAYNAME"))?,
            branch: get("BUILD_SOURCEBRANCH")?,
            build_id: get("BUILD_BUILDID")?,
        })
    }
}

/// `contoso` of `https://dev.azure.com/contoso/` and of `https://contoso.visualstudio.com/`.
fn organization(collection: &str) -> Option<&str> {
    let (_, rest) = collection.split_once("://")?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let name = match host.rsplit('@').next()?.strip_suffix(".visualstudio.com") {
        Some(name) => name,
        None => path.trim_matches('/').split('/').next()?,
    };
    Some(name).filter(|name| !name.is_empty())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::{Pipeline, organization};

    /// The variables of a build.
    pub(crate) fn variable(name: &str) -> Option<String> {
        let value = match name {
            "SYSTEM_COLLECTIONURI" => "https://dev.azure.com/contoso/",
            "SYSTEM_TEAMPROJECT" => "Shop",
            "SYSTEM_DEFINITIONID" => "42",
            "BUILD_DEFINITIONNAME" => "nightly",
            "SYSTEM_PHASEID" => "96ac2280-8cb4-5df5-99de-dd2da759617d",
            "SYSTEM_PHASENAME" => "scan",
            "BUILD_SOURCEBRANCH" => "refs/heads/main",
            "BUILD_BUILDID" => "1234",
            _ => return None,
        };
        Some(value.to_owned())
    }

    #[test]
    fn a_build_is_read_from_its_variables() {
        let pipeline = Pipeline::from_variables(&variable).expect("a build");
        assert_eq!((pipeline.organization.as_str(), pipeline.definition_id.as_str()), ("contoso", "42"));
        let without = |missing: &'static str| {
            Pipeline::from_variables(&|name| variable(name).filter(|_| name != missing)).expect_err("it is missing")
        };
        assert_eq!(without("BUILD_BUILDID"), "BUILD_BUILDID");
        assert_eq!(without("SYSTEM_PHASENAME"), "SYSTEM_PHASEDISPLAYNAME");
    }

    #[test]
    fn an_organisation_is_in_the_path_or_the_host() {
        for (collection, name) in [
            ("https://dev.azure.com/contoso/", Some("contoso")),
            ("https://contoso.visualstudio.com/", Some("contoso")),
            ("https://tfs.example.com/DefaultCollection", Some("DefaultCollection")),
            ("https://dev.azure.com/", None),
            ("contoso", None),
        ] {
            assert_eq!(organization(collection), name, "{collection}");
        }
    }
}
