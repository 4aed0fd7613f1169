//! Where everything meets: world, commands, time travel, views.
