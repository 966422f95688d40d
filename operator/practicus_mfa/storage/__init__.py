"""Everything kept in the database: the only place that speaks SQL."""
