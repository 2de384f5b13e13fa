mod broken;
mod commits;
mod history;
mod inherit;
mod repository;
mod sources;
mod toy;
