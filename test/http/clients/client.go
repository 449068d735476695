// Reads requests, one JSON object a line, sends them with net/http, and prints the answers in the same form.
package main

import (
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/httptrace"
	"os"
	"strings"
)

type request struct{ Method, Path, Body, Token string }

type answer struct {
	Status int    `json:"status"`
	Body   string `json:"body"`
}

func main() {
	in, out := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for sent := 0; ; sent++ {
		var asked request
		if err := in.Decode(&asked); err == io.EOF {
			return
		} else if err != nil {
			log.Fatal(err)
		}
		made, err := http.NewRequest(asked.Method, "http://127.0.0.1:"+os.Args[1]+asked.Path, strings.NewReader(asked.Body))
		if err != nil {
			log.Fatal(err)
		}
		made.Header.Set("X-Vault-Token", asked.Token)
		trace := &httptrace.ClientTrace{GotConn: func(got httptrace.GotConnInfo) {
			if sent > 0 && !got.Reused {
				log.Fatal("the connection was not kept")
			}
		}}
		response, err := http.DefaultClient.Do(made.WithContext(httptrace.WithClientTrace(made.Context(), trace)))
		if err != nil {
			log.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		if err != nil {
			log.Fatal(err)
		}
		response.Body.Close()
		if err := out.Encode(answer{response.StatusCode, string(body)}); err != nil {
			log.Fatal(err)
		}
	}
}
