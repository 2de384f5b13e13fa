mod broken;
mod history;
mod inherit;
mod repository;
mod sources;
mod toy;
