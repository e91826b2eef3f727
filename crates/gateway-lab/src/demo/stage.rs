//! The servers of the demo: a private Postgres, the sandbox or a real Fineract, and the gateway.

use std::{
    fs::{self, File},
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener},
    path::PathBuf,
};

use anyhow::Context as _;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    Arguments,
    caller::{API_KEY, BULK_HEADERS, OPS_TOKEN, TOKEN},
    screen,
};
use fineract_gateway::cli::{settings, setup_fineract};
use fineract_gateway::{
    app::{self, Gateway},
    config::Config,
    fineract::Fineract,
    telemetry,
};
use fineract_sandbox::Sandbox;
use private_postgres::{Options, PrivatePostgres};

/// The address that the documents use.
const USUAL_ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);

/// The number of log lines that are shown after a failure.
const LOG_LINES_SHOWN: usize = 20;

/// All servers. When the stage is dropped, in any state, no process and no folder is left behind.
#[derive(Debug)]
pub(super) struct Stage {
    /// The address of the API.
    pub(super) address: SocketAddr,
    /// The address of the sandbox, if there is one.
    pub(super) sandbox: Option<SocketAddr>,
    /// The values of `lenderConfig`.
    pub(super) lenders: Vec<String>,
    gateway: Gateway,
    log: PathBuf,
    stop_sandbox: CancellationToken,
    postgres: PrivatePostgres,
}

impl Stage {
    /// Starts all servers, and shows their addresses and paths.
    pub(super) async fn set(arguments: &Arguments) -> anyhow::Result<Self> {
        screen::show_title("Starting");
        let postgres = PrivatePostgres::start(Options::default())?;
        screen::show_place("Postgres", &postgres.url("postgres"));
        let folder = postgres.folder().display().to_string();
        screen::show_place("Data", &format!("{folder} (removed at the end)"));
        let stop_sandbox = CancellationToken::new();
        let (sandbox, fineract) = if let Some(url) = &arguments.fineract {
            (None, url.clone())
        } else {
            let address = start_sandbox(&stop_sandbox).await?;
            let url = format!("http://{address}/fineract-provider/api/v1");
            (Some(address), url)
        };
        let config = config(arguments, &postgres, &fineract)?;
        let log = postgres.folder().join("gateway.log");
        let file = File::create(&log).context("cannot write the gateway's log")?;
        telemetry::init_in(file, &config.log)?;
        if let Some(fineract) = &config.fineract {
            let tenant = format!("{} as {}", fineract.url, fineract.user);
            screen::show_place(
                if sandbox.is_some() {
                    "Sandbox"
                } else {
                    "Fineract"
                },
                &tenant,
            );
            if sandbox.is_none() {
                screen::show_title("Creating what Fineract lacks");
                setup_fineract::set_up(&Fineract::new(fineract)?, &config.operations, false)
                    .await?;
            }
        }
        app::migrate(&config).await?;
        let gateway = app::start(&config).await?;
        let address = gateway.address();
        screen::show_place("Gateway", &format!("http://{address}/api/v1"));
        if arguments.listen.is_none() && address != USUAL_ADDRESS {
            screen::show_place("", &format!("({USUAL_ADDRESS} is in use)"));
        }
        screen::show_place("Log", &log.display().to_string());
        let lenders = config.operations.lenders.iter();
        Ok(Self {
            address,
            sandbox,
            lenders: lenders.map(|(lender, _)| lender.clone()).collect(),
            gateway,
            log,
            stop_sandbox,
            postgres,
        })
    }

    /// Waits until the gateway ends by itself, which happens only if a part of it has failed.
    pub(super) async fn failed(&self) {
        self.gateway.failed().await;
    }

    /// Shows the warnings and errors of the gateway. The gateway's log itself is removed at the end.
    pub(super) fn show_complaints(&self) {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let complaints: Vec<_> = log
            .lines()
            .filter(|line| line.contains(" WARN ") || line.contains("ERROR "))
            .collect();
        let skipped = complaints.len().saturating_sub(LOG_LINES_SHOWN);
        for line in complaints.into_iter().skip(skipped) {
            anstream::eprintln!("{line}");
        }
    }

    /// Ends all servers.
    pub(super) async fn clear(self) -> anyhow::Result<()> {
        self.gateway.shut_down().await;
        self.stop_sandbox.cancel();
        Ok(self.postgres.stop()?)
    }
}

async fn start_sandbox(stop: &CancellationToken) -> anyhow::Result<SocketAddr> {
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .context("the sandbox cannot listen")?;
    let address = listener
        .local_addr()
        .context("the sandbox has no address")?;
    // Nothing waits for the end of this task, because the sandbox owns nothing outside this process.
    TaskTracker::new().spawn(Sandbox::new().serve(listener, stop.clone()));
    Ok(address)
}

/// The settings of the gateway. For a real Fineract, settings about Fineract in the environment replace the demo's
/// defaults.
fn config(
    arguments: &Arguments,
    postgres: &PrivatePostgres,
    fineract: &str,
) -> anyhow::Result<Config> {
    let own = |name: &str| match name {
        "DATABASE_URL" => Some(postgres.url("postgres")),
        "HTTP_LISTEN" => Some(arguments.listen.unwrap_or_else(free_address).to_string()),
        "HTTP_BASE_PATH" => Some("/api,/api/v1".to_owned()),
        "INTERNAL_TOKENS" => Some(format!("los={TOKEN}")),
        "BULK_CLIENTS" => {
            let values = BULK_HEADERS.map(|(_, value)| value);
            Some(format!("lender={}", values.join(":")))
        }
        "API_KEYS" => Some(format!("lender={API_KEY}")),
        "OPS_TOKENS" => Some(format!("ops={OPS_TOKEN}")),
        // The sandbox has no checkers, and a person who tries the page does not want to wait for minutes.
        "FINERACT_MAKER_CHECKER" if arguments.fineract.is_none() => Some("false".to_owned()),
        "FINERACT_STUCK_AFTER_SECONDS" | "RETRY_PARK_AFTER_SECONDS"
            if arguments.fineract.is_none() =>
        {
            Some("5".to_owned())
        }
        "FINERACT_URL" => Some(fineract.to_owned()),
        "SHUTDOWN_GRACE_SECONDS" => Some("5".to_owned()),
        "LOG_FORMAT" => Some("text".to_owned()),
        _ => None,
    };
    let environment = match arguments.fineract {
        Some(_) => Some(settings::variables()?),
        None => None,
    };
    let of_fineract = |name: &str| {
        let lookup = environment.as_ref()?;
        let is_about_fineract = name.starts_with("FINERACT_") || name == "LENDERS";
        let value = is_about_fineract.then(|| lookup(name)).flatten()?;
        (!value.trim().is_empty()).then_some(value)
    };
    let usual = |name: &str| match name {
        "FINERACT_USER" => Some("mifos".to_owned()),
        "FINERACT_PASSWORD" if of_fineract("FINERACT_PASSWORD_FILE").is_none() => {
            Some("password".to_owned())
        }
        "FINERACT_PAYMENT_TYPE" => Some("Bank transfer".to_owned()),
        // The sandbox is one process. The demo assumes that a real Fineract for a trial run is one process too.
        "FINERACT_SINGLE_PROCESS" => Some("true".to_owned()),
        _ => None,
    };
    Ok(Config::read(|name| {
        own(name)
            .or_else(|| of_fineract(name))
            .or_else(|| usual(name))
    })?)
}

fn free_address() -> SocketAddr {
    if TcpListener::bind(USUAL_ADDRESS).is_ok() {
        USUAL_ADDRESS
    } else {
        SocketAddr::from((Ipv4Addr::LOCALHOST, 0))
    }
}
