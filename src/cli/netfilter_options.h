#ifndef MIMI_SRC_CLI_NETFILTER_OPTIONS_H_
#define MIMI_SRC_CLI_NETFILTER_OPTIONS_H_

#include "mimi/builtin/netfilter_minion.h"

#include "src/config/kinds.h"

namespace mimi::cli {

/// The section of a netfilter minion: for the minion itself, and for removing what it left.
NetfilterMinionOptions ReadNetfilterOptions(config::Section& section, config::ReadContext& context);

}  // namespace mimi::cli

#endif  // MIMI_SRC_CLI_NETFILTER_OPTIONS_H_
