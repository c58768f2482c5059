module kato-load-balancing/dev/toolchain/pause

go 1.21
