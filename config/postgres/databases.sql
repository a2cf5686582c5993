-- One database per service, made on the first start of an empty volume.
CREATE DATABASE judgment;
CREATE DATABASE fds;
CREATE DATABASE workflow;
CREATE DATABASE admin;
CREATE DATABASE ecommerce;
