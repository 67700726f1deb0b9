#include "app/commands/verbs.h"
#include "runtime/signals.h"
#include "storage/object_stores.h"

int main(int argc, char** argv) {
  df::runtime::HoldSignals();
  const int exit_code = df::app::RunVerb(argc, argv);
  df::storage::FinalizeStores();
  return exit_code;
}
