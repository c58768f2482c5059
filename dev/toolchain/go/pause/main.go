// Command pause holds a pod's network namespace open and does nothing until it is told to stop.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	// As process 1 of a shared process namespace it must collect the children left to it.
	signal.Ignore(syscall.SIGCHLD)
	<-stop
}
