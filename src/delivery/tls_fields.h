// The `tls` keys of nodes that talk over the network.
#pragma once

#include "config/field_table.h"
#include "runtime/tls.h"

namespace df::delivery {

/// Keys of a node that is connected to: cert_file, cert_pem, key_file, key_pem, client_ca_file,
/// client_ca_pem.
const config::FieldTable<runtime::TlsSettings>& TlsServerFields();

/// Keys of a node that connects: ca_file, ca_pem, include_system_ca_certs_pool, cert_file,
/// cert_pem, key_file, key_pem, server_name_override.
const config::FieldTable<runtime::TlsSettings>& TlsClientFields();

/// Checks keys that belong together or exclude each other.
void CheckTlsServer(const config::Section& section, const runtime::TlsSettings& settings);
void CheckTlsClient(const config::Section& section, const runtime::TlsSettings& settings);

}  // namespace df::delivery
