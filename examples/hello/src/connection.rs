//! The way to Temporal, as `TEMPORAL_ADDRESS`, `TEMPORAL_NAMESPACE`, `TEMPORAL_TLS_…` and `TEMPORAL_API_KEY` say.

use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use temporalio_client::envconfig::LoadClientConfigProfileOptions;
use temporalio_client::{Client, ClientOptions, Connection, ConnectionOptions};
use tokio::time::sleep;
use tracing::warn;

const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Where Temporal is, and as whom to go there.
pub struct Way {
    connection: ConnectionOptions,
    client: ClientOptions,
}

impl Way {
    /// Reads the environment, and the certificates that it names.
    pub fn from_environment() -> Result<Self> {
        let loaded = ClientOptions::load_from_config(LoadClientConfigProfileOptions::default());
        let (connection, client) = loaded.map_err(|error| anyhow!("the settings of the connection: {error}"))?;
        Ok(Self { connection, client })
    }

    /// Connects, or says why not.
    pub async fn connect(&self) -> Result<Client> {
        let connection = Connection::connect(self.connection.clone()).await;
        let connection =
            connection.with_context(|| format!("Temporal at {} cannot be reached", self.connection.target))?;
        Ok(Client::new(connection, self.client.clone())?)
    }

    /// Connects as soon as it is possible. A worker that ended instead would be started again with ever longer pauses.
    pub async fn connect_patiently(&self) -> Client {
        let mut pause = FIRST_PAUSE;
        loop {
            match self.connect().await {
                Ok(client) => return client,
                Err(error) => warn!("{error:#}; trying again in {} s", pause.as_secs()),
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}
