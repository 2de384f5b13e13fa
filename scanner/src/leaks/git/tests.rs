mod inherit;
mod repository;
mod toy;
